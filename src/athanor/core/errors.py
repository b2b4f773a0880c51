"""Errors a user can meet. Each message says what was found, what was expected, and what to do."""

from __future__ import annotations


class AthanorError(Exception):
    """Base of every error whose message is meant for the user; the command line exits with 1."""

    exit_code = 1


class UsageError(AthanorError):
    """The program was asked for something it cannot do as asked; the command line exits with 2."""

    exit_code = 2


class Stopped(AthanorError):
    """Training was stopped before it did harm; the last good checkpoint is kept."""

    def __init__(self, why: str, good: int | None = None) -> None:
        super().__init__(why)
        self.good = good
        """The last step after which all was well, where checkpoints after it may be of a policy that is lost."""


class DataError(AthanorError):
    """A file is missing, torn, or does not say what its format requires."""


class StoreError(AthanorError):
    """A run folder could not be created, read or written."""


class BackendError(AthanorError):
    """A model could not be asked this time. `play` records it as the cause of an episode's end."""
