"""Tables that are not read because of a delivered file; the source's other tables go on.

The file has no mapped column, is in an encoding that nobody declared, is damaged, is not there.
Such a table waits as a whole, the files beside the bad one too: where rows say nothing of their age
the later file wins (adr/0003), so a file must not come in after those that were delivered later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingestion.contract import ContractError, Stopped
from khach.errors import KhachError, gravest

if TYPE_CHECKING:
    from ingestion.run import LandedLoad
    from ingestion.spec import SourceConfig


@dataclass(frozen=True)
class Refused:
    """A table of which a file cannot be read, and the mistake: which file, why, what to do."""

    table: str
    mistake: KhachError

    def sentence(self) -> str:
        """What is said of it."""
        return f"table {self.table}: {self.mistake.message}"


NotRead = Stopped | Refused


class RefusedError(KhachError):
    """Tables of a source were not read; `load` is what landed of its others, if anything.

    It stands where the first mistake does, and has the gravest exit code of all.
    """

    def __init__(self, source: str, stopped: Sequence[NotRead], load: LandedLoad | None) -> None:
        refused = [one for one in stopped if isinstance(one, Refused)]
        first = refused[0].mistake
        fixes = {one.table: one.mistake.fix for one in refused if one.mistake.fix}
        several = "; ".join(f"{table}: {fix}" for table, fix in fixes.items())
        super().__init__(
            f"source {source}: "
            + "; ".join(one.sentence() for one in stopped)
            + f"; nothing of {'it' if len(stopped) == 1 else 'them'} was landed, other tables were",
            fix=several if len(fixes) > 1 else first.fix,
            file=first.file,
            line=first.line,
            key=first.key,
        )
        self.exit_code = gravest(
            one.mistake.exit_code if isinstance(one, Refused) else 3 for one in stopped
        )
        self.source = source
        self.stopped = tuple(stopped)
        self.load = load


def only_mistake(stopped: Sequence[NotRead]) -> KhachError | None:
    """The mistake that all these tables have, such as a folder that is not there."""
    mistakes = {one.mistake.message: one.mistake for one in stopped if isinstance(one, Refused)}
    is_one = len(mistakes) == 1 and all(isinstance(one, Refused) for one in stopped)
    return next(iter(mistakes.values())) if is_one else None


def not_read(
    config: SourceConfig, stopped: Sequence[NotRead], load: LandedLoad | None
) -> ContractError | RefusedError:
    """The error that says which tables were not read."""
    flips = [one for one in stopped if isinstance(one, Stopped)]
    if len(flips) == len(stopped):
        return ContractError(config, flips, load)
    return RefusedError(config.name, stopped, load)
