"""The command line (`docs/cli.md`): one contract for people, schedulers and checks."""

from khach.cli.main import main

__all__ = ["main"]
