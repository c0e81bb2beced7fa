"""How large a sandbox is: people, days of history, stores.

`pace` scales how often people visit, and `till_pace` how often they buy in stores, so that the
short histories still show people on both channels. L is the size of the benchmarks: some 10 million
web events and 5 million receipt lines. Every size ends its history on the same day, so that figures
can be quoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

LAST_HISTORY_DAY = date(2026, 6, 29)
DEFAULT_SEED = 20260629
MAILING_LIST = "khach00001"  # the one list of the e-mail platform


@dataclass(frozen=True)
class Size:
    """One size: `people` at the end of the history, which lasts `days` days."""

    name: str
    people: int
    days: int
    stores: int
    pace: float
    till_pace: float

    @property
    def first_day(self) -> date:
        """The first simulated business day."""
        return LAST_HISTORY_DAY - timedelta(days=self.days - 1)


SIZES = {
    size.name: size
    for size in (
        Size("XS", 500, 14, 3, 4.0, 4.0),
        Size("S", 5_000, 90, 12, 1.0, 1.0),
        Size("M", 100_000, 90, 40, 1.0, 1.0),
        Size("L", 1_000_000, 30, 120, 0.55, 9.5),
    )
}
