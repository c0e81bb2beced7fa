"""Progress on stderr: a line for each step for people at a terminal, silence for everyone else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

# Steps that count nothing and are over at once are not worth a line that stays.
_WORTH_A_LINE_SECONDS = 0.5
_READ_BYTES = Path("/proc/self/io")
# What readers have in their buffers is read, but not worked off.
_BUFFERED_BYTES = 64_000_000

Unit = Literal["", "rows", "bytes"]


class Reporter(Protocol):
    """What long work needs: a name for the step, and how far it is."""

    def step(self, description: str, total: int | None = None, *, unit: Unit = "") -> None:
        """Begin a step of `total` units (None: unknown)."""

    def expect(self, units: int) -> None:
        """The current step will be so many units more than was known."""

    def advance(self, units: int = 1) -> None:
        """Count units of the current step."""

    def note(self, text: str) -> None:
        """Say something of the current step, e.g. what came of it."""


class Silent:
    """No progress: tests, schedulers, pipes."""

    def step(self, description: str, total: int | None = None, *, unit: Unit = "") -> None:
        """Ignore."""

    def expect(self, units: int) -> None:
        """Ignore."""

    def advance(self, units: int = 1) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""


class Bars:
    """The steps as lines of a terminal; the current one moves."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def step(self, description: str, total: int | None = None, *, unit: Unit = "") -> None:
        """Finish the current line and begin the next."""
        self.finish()
        self._task = self._progress.add_task(escape(description), total=total, unit=unit, note="")

    def expect(self, units: int) -> None:
        """Lengthen the current line."""
        if task := self._current():
            self._progress.update(task.id, total=(task.total or 0) + units)

    def advance(self, units: int = 1) -> None:
        """Move the current line; it is at its end only when the next step begins."""
        if task := self._current():
            done = task.completed + units
            if task.total and task.fields["unit"]:
                done = min(done, task.total - 1)
            self._progress.update(task.id, completed=done)

    def note(self, text: str) -> None:
        """Put a text on the current line."""
        if task := self._current():
            self._progress.update(task.id, note=text)

    def finish(self) -> None:
        """End the current line; one that says nothing goes."""
        task = self._current()
        self._task = None
        if task is None:
            return
        is_empty = not task.completed and not task.total
        if is_empty and (task.elapsed or 0) < _WORTH_A_LINE_SECONDS:
            self._progress.remove_task(task.id)
            return
        done = task.total or task.completed or 1
        self._progress.update(task.id, completed=done, total=done)
        self._progress.stop_task(task.id)

    def _current(self) -> Task | None:
        tasks = {task.id: task for task in self._progress.tasks}
        return tasks.get(self._task) if self._task is not None else None


class _Counted(ProgressColumn):
    """How much is done: `12,345 of 400,000 rows`, `1.2 of 3.4 GB`."""

    def render(self, task: Task) -> Text:
        unit, done, total = task.fields["unit"], int(task.completed), int(task.total or 0)
        if task.finished and not unit:
            done = total = done if done > 1 else 0
        is_part = bool(done and done < total)
        if unit == "bytes":
            said = f"{decimal(done)} of {decimal(total)}" if is_part else decimal(total)
        else:
            said = f"{done:,} of {total:,}" if is_part else f"{max(done, total):,}"
            said = f"{said} {unit}".rstrip() if done or total else ""
        return Text(", ".join(part for part in (said, task.fields["note"]) if part))


class _Pace(ProgressColumn):
    """How fast it is, how long it takes, and how long it will."""

    def render(self, task: Task) -> Text:
        seconds = task.elapsed or 0
        parts = []
        if task.fields["unit"] and task.completed > 1 and seconds > 1:
            rate = int(task.completed / seconds)
            shown = decimal(rate) if task.fields["unit"] == "bytes" else f"{rate:,} rows"
            parts.append(f"{shown}/s")
        parts.append(duration(seconds))
        if not task.finished and seconds > 3 and 1 < task.completed < 0.99 * (task.total or 0):
            # By the mean of the whole step: libraries take their input in large gulps.
            left = seconds * ((task.total or 0) / task.completed - 1)
            parts.append(f"about {duration(left)} left")
        return Text(", ".join(parts), style="dim")


def duration(seconds: float) -> str:
    """Seconds as people say them: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def columns() -> tuple[ProgressColumn, ...]:
    """What stands in a line."""
    return (
        SpinnerColumn(finished_text="[green]✓[/green]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        _Counted(),
        _Pace(),
    )


@contextmanager
def reporter() -> Iterator[Reporter]:
    """Lines when stderr is a terminal, else silence."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield Silent()
        return
    with Progress(*columns(), console=console) as progress:
        bars = Bars(progress)
        try:
            yield bars
        finally:
            bars.finish()


@contextmanager
def bytes_read(progress: Reporter, total: int, *, passes: int = 1) -> Iterator[None]:
    """Advance a step of `total` bytes by what this process reads from files (Linux only).

    For work that happens inside a library: it reads the files `passes` times.
    """
    if isinstance(progress, Silent) or not _READ_BYTES.exists():
        yield
        return
    over = threading.Event()

    def watch() -> None:
        begin, told = _bytes_read(), 0
        while not over.wait(0.25):
            done = min(total, max(0, _bytes_read() - begin - _BUFFERED_BYTES) // passes)
            progress.advance(done - told)
            told = done

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _bytes_read() -> int:
    return int(_READ_BYTES.read_text(encoding="ascii").split()[1])
