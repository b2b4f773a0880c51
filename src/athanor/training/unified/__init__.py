"""Training of a unified model: its visual tokenizer, its encoder, and the three stages of Janus-Pro."""
