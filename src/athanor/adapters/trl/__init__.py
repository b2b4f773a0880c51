"""Post-training of Hugging Face models on GeneralPoints, through `trl` and `accelerate`."""
