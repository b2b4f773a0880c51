"""Agents play into run folders: what is common to all, and what each environment adds."""
