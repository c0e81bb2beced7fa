"""Progress on stderr: a bar for people at a terminal, silence for everyone else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)


class Reporter(Protocol):
    """What long work needs: a name for the step, and how far it is."""

    def step(self, description: str, total: int | None = None) -> None:
        """Begin a step of `total` units (None: unknown)."""

    def advance(self, units: int = 1) -> None:
        """Count units of the current step."""


class Silent:
    """No progress: tests, schedulers, pipes."""

    def step(self, description: str, total: int | None = None) -> None:
        """Ignore."""

    def advance(self, units: int = 1) -> None:
        """Ignore."""


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def step(self, description: str, total: int | None = None) -> None:
        """Finish the current bar and begin the next."""
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)
        self._task = self._progress.add_task(description, total=total)

    def advance(self, units: int = 1) -> None:
        """Move the current bar."""
        if self._task is not None:
            self._progress.advance(self._task, units)


@contextmanager
def reporter() -> Iterator[Reporter]:
    """Bars when stderr is a terminal, else silence."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Silent()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield _Bars(progress)
