"""Small decoder-only transformers over a closed vocabulary, that a laptop trains in minutes."""
