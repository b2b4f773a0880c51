"""Athanor: do models explore, does post-training generalize, can one model see and draw."""
