"""Empowerment from meaning: what a world's pairs make, predicted from the names of its elements.

From names to vectors (`embeddings`), from vectors to networks that never saw the pairs they predict (`folds`,
`brandle2023`, `exact`), and from their probabilities to empowerment (`prediction`). Nothing here imports torch before
a function that needs it is called from `embeddings`; the network modules import it at their head.
"""
