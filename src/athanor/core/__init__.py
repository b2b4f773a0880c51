"""The ground: records, roles, play, seeds, errors and the store. Imports no model library."""
