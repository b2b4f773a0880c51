"""`python -m athanor` is the command `athanor`."""

from athanor.cli import main

main()
