"""GenEval (Ghosh et al. 2023, arXiv 2310.11513): 553 prompts, a detector, and rules for what it finds.

prompts     the published prompts, made again           detecting  what a detector is, and what of it counts
mask2former the published detector, on transformers     colours    colours by CLIP
exact       the checker of scenes as a detector         judging    the published rules, and strict ones
folder      images as the published script lays them    scoring    estimates
"""
