"""What `khach sources check` finds: one line for each file pattern, table or endpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from khach.errors import KhachError, StoppedError


@dataclass(frozen=True)
class CheckedItem:
    """What is there, or the problem; of a KhachError `mistake` says where and how to mend it."""

    source: str
    item: str
    found: str
    problem: str | None = None
    mistake: KhachError | None = None

    @property
    def exit_code(self) -> int:
        """What the command ends with when this is all that it found."""
        if self.mistake:
            return self.mistake.exit_code
        return 2 if self.problem else 0

    def as_dict(self) -> dict[str, str | int | None]:
        """The machine-readable form, for `--json`."""
        place = self.mistake.as_dict() if self.mistake else {}
        return {
            "source": self.source,
            "item": self.item,
            "found": self.found,
            "problem": self.problem,
            **{name: place.get(name) for name in ("file", "line", "key", "fix")},
        }


def checked(source: str, item: str, look: Callable[[], str]) -> CheckedItem:
    """What `look` finds there; its KhachError is the item's problem and stops no other item."""
    try:
        return CheckedItem(source, item, look())
    except StoppedError:
        raise
    except KhachError as mistake:
        return CheckedItem(source, item, "", mistake.message, mistake)
