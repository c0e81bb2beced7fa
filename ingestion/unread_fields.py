"""The fields of delivered JSON events that no column reads: they land in `_extra` (adr/0009).

Taking them out of each line by itself (`exact`) costs a third of the whole reading. So a large
delivery is read for the fields that are known: from its head, from earlier deliveries, and from a
sample of lines throughout; where that shows one more, the delivery is read once more.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingestion.contract import SAMPLED_LINES, head
from ingestion.parquet import literal, quote
from ingestion.shapes import extra

if TYPE_CHECKING:
    from ingestion.delivered import LocalFile
    from ingestion.spec import FetchContext, TableSpec

EXACT_BYTES = 8 << 20  # on the disk; about the events of a small shop's day
MOST_FIELDS = 100
_SAMPLED = 10 * SAMPLED_LINES  # lines at the head of all files together


@dataclass(frozen=True)
class Unread:
    """What of an event lands in `_extra`: `fields`, or with `is_exact` all but those `read`.

    `prefixes`: fields that a connector reads by how their names begin.
    """

    read: Collection[str]
    prefixes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    is_exact: bool = False

    def more(self, found: Iterable[str]) -> Unread:
        """The same with further fields; where they cannot be columns of a struct, exact."""
        fields, is_plain = set(self.fields), True
        spellings = {name.lower() for name in (*self.read, *fields)}
        for name in sorted(set(found) - fields - set(self.read)):
            if name.startswith(self.prefixes):
                continue
            # SQL knows no capitals, and a producer that makes up its fields would fill a table.
            if name.lower() in spellings or len(fields) == MOST_FIELDS:
                is_plain = False
                continue
            spellings.add(name.lower())
            fields.add(name)
        is_exact = self.is_exact or not (is_plain or self.prefixes)
        return replace(self, fields=tuple(sorted(fields)), is_exact=is_exact)

    @property
    def structure(self) -> dict[str, str]:
        """What `json_transform` reads besides the connector's fields."""
        return {} if self.is_exact else dict.fromkeys(self.fields, "JSON")

    def sql(self, parsed: str, line: str) -> str:
        """SQL of `_extra`: over the struct that was made of `structure`, or over the line."""
        if self.is_exact:
            return extra(line, self.read)
        if not self.fields:
            return "cast(null as varchar)"
        members = ", ".join(
            f"{literal(json.dumps(name, ensure_ascii=False) + ':')} || {parsed}.{quote(name)}"
            for name in self.fields
        )
        return f"nullif('{{' || concat_ws(',', {members}) || '}}', '{{}}')"


def unread_fields(
    context: FetchContext, table: TableSpec, files: list[LocalFile], read: Unread
) -> Unread:
    """What to take of the fields of a delivery that nobody reads, by its size and its head."""
    contract = context.seen.contracts.get(table.name)
    known = set(contract.types) if contract else set()
    size = sum(file.path.stat().st_size for file in files)
    if size <= EXACT_BYTES and not read.prefixes:
        return replace(read, is_exact=True)
    lines = max(20, _SAMPLED // len(files))
    with suppress(OSError, EOFError, zlib.error):  # the reading of it says what is wrong
        known |= {name for event in head([file.path for file in files], lines) for name in event}
    return read.more(known)
