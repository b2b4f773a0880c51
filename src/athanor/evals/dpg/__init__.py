"""DPG-Bench (Hu et al. 2024, arXiv 2403.05135): long prompts, each broken into questions to which yes is expected.

table       the questions, from the benchmark's CSV     pictures  an image file into its pictures
answering   who is asked                                asking    every question asked once, resumably
scoring     the correct score                           legacy    the score as the published script comes to it
"""
