"""What a choice is worth: written once, used as an agent's preference and as a regressor. Loads no model library."""
