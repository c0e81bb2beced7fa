"""What channels share that send one message a call: connections, doubt, masked words."""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from activation.channels.base import Batch, Outcome, require_permitted
from activation.channels.http import UncertainError
from activation.consent import PermittedRow, WithdrawalRow
from khach.errors import BusyError
from khach.redact import redact

_MOST_DOUBTS = 3
_LONGEST_WORDS = 500


class Sender:
    """Sends every row of a batch once, over several connections at a time.

    A message of which nobody knows whether it went out is `unknown`, and never sent again by
    itself. So that a sick platform does not use a whole audience up like this, nothing more is
    started after three such answers in a row: what is left over is `unanswered`.
    """

    def __init__(self, connections: int) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._doubts = 0

    def send(
        self, batch: Batch[PermittedRow], one: Callable[[PermittedRow], Outcome]
    ) -> list[Outcome]:
        """One outcome a row, in their order; TypeError unless every row is permitted."""
        require_permitted(batch)
        with ThreadPoolExecutor(self._connections) as pool:
            return list(pool.map(lambda row: self._outcome(one, row), batch.rows))

    def ask(self, handles: Sequence[str], one: Callable[[str], Outcome]) -> list[Outcome]:
        """One outcome a handle; without an answer it is still `submitted`."""

        def outcome(handle: str) -> Outcome:
            try:
                return one(handle)
            except BusyError as problem:
                return Outcome("submitted", "no_answer", problem.message, handle)

        with ThreadPoolExecutor(self._connections) as pool:
            return list(pool.map(outcome, handles))

    def _outcome(self, one: Callable[[PermittedRow], Outcome], row: PermittedRow) -> Outcome:
        if self._doubts >= _MOST_DOUBTS:
            return Outcome("unanswered", "not_started", "the platform no longer answers clearly")
        try:
            outcome = one(row)
        except UncertainError as problem:
            outcome = Outcome("unknown", "no_answer", str(problem))
        except BusyError as problem:
            return Outcome("unanswered", "no_answer", problem.message)
        with self._lock:
            self._doubts = self._doubts + 1 if outcome.status == "unknown" else 0
        return outcome


def masked(words: object, *rows: PermittedRow | WithdrawalRow) -> str:
    """The platform's words without what was sent about the people, and cut."""
    values: list[str | None] = []
    for row in rows:
        fields = row.fields.values() if isinstance(row, PermittedRow) else ()
        values += [row.identifier, *fields]
    return masked_values(words, values)


def masked_values(words: object, values: Iterable[str | None]) -> str:
    """As `masked`, without these values, however they are capitalised; a name of two letters is
    one only where it stands alone.
    """
    text, parts = str(words or ""), []
    for value in sorted(set(filter(None, values)), key=len, reverse=True):
        if len(value) > 2:
            parts.append(re.escape(value))
        elif len(value) == 2 and value.isalpha():
            parts.append(rf"(?<!\w){re.escape(value)}(?!\w)")
    if text and parts:
        text = re.sub("|".join(parts), "<value>", text, flags=re.IGNORECASE)
    return redact(text)[:_LONGEST_WORDS]
