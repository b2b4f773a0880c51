"""Training: batches, losses, advantages, and the loops that use them."""
