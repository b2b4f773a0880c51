"""Leaves: the laboratory's environments in the forms of other libraries. Only commands import them."""
