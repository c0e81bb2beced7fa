"""Errors a person can act on: what is wrong, where, and how to put it right.

Messages never carry personal data; values are shown as shapes (`khach.redact.shape`).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

_GRAVEST_FIRST = (130, 2, 3, 1, 4)


def gravest(codes: Iterable[int]) -> int:
    """The exit code that stands for several; 0 when nothing went wrong.

    A stop by hand, then a mistake of the configuration, a gate, a failure, a busy source.
    """
    found = set(codes)
    return next((code for code in _GRAVEST_FIRST if code in found), 0)


class KhachError(Exception):
    """Something failed; the exit code of the command line is 1."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        fix: str | None = None,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.file = str(file) if file is not None else None
        self.line = line
        self.key = key
        self.others: list[Self] = []

    @classmethod
    def first_of(cls, mistakes: Iterable[Self]) -> Self:
        """The first of several, to be raised; it carries the others (and theirs)."""
        first, *rest = [one for mistake in mistakes for one in mistake.each()]
        first.others = rest
        return first

    def each(self) -> list[Self]:
        """This one and those that it carries."""
        return [self, *self.others]

    def location(self) -> str | None:
        """`file:line key`, as far as known."""
        place = self.file or ""
        if self.file and self.line:
            place += f":{self.line}"
        if self.key:
            place = f"{place} {self.key}".strip()
        return place or None

    def __str__(self) -> str:
        lines = [self.message]
        if place := self.location():
            lines.append(f"  at {place}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | int | None]:
        """The machine-readable form, for `--json`."""
        return {
            "error": self.message,
            "file": self.file,
            "line": self.line,
            "key": self.key,
            "fix": self.fix,
            "exit_code": self.exit_code,
        }


class ConfigError(KhachError):
    """Wrong usage or configuration; nothing was run (exit 2)."""

    exit_code = 2


@contextmanager
def told_together() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Every ConfigError of the blocks `with each():` within, raised as one at the end."""
    found: list[ConfigError] = []

    @contextmanager
    def each() -> Iterator[None]:
        try:
            yield
        except ConfigError as mistake:
            found.append(mistake)

    yield each
    if found:
        raise ConfigError.first_of(found) from None


class GateError(KhachError):
    """A gate or a guard stopped the run; data is safe, a person must look (exit 3)."""

    exit_code = 3


class BusyError(KhachError):
    """Busy or unreachable: a lock, a lease, a source, a channel. Try again (exit 4)."""

    exit_code = 4


class StoppedError(KhachError):
    """A person stopped it (Ctrl-C); the shell's code of that signal (exit 130)."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__(
            "stopped by hand", fix="the same command again goes on; nothing is half-done"
        )
