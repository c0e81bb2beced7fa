"""Pages of JSON to Parquet: DuckDB parses some 200 files at a time, and every page is counted.

A page does not become Python objects, which is slow: its bytes go to a file, and the rows offered
are what the vendor announces (`ingestion.paging`), or are counted in the bytes, by a key or as the
elements of the array, apart from the reading of their values. A row whose key is missing or whose
value is not of its type goes to the quarantine.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from ingestion.contract import JsonSample, Stopped
from ingestion.parquet import copy_to_parquet, literal
from ingestion.quarantine import BadRow, write_quarantine
from ingestion.shapes import Shape, good_rows, rows_query
from ingestion.spec import Delivery, FetchContext, TableSpec
from ingestion.vendor_contract import SAMPLED_ROWS, extra_fields, hold
from khach.errors import BusyError

PAGES_PER_COPY = 200
# Of so many pages one becomes Python objects, for the schema contract; at first all do.
PAGES_PER_SAMPLE = 50


@dataclass(frozen=True)
class Page:
    """One answer on disk, and the rows that are announced; None: its array is counted."""

    label: str
    path: Path
    offered: int | None


class TableReader:
    """Collects the pages of one raw table and writes them as one Parquet file.

    `stopped` is known when it is closed. Refused rows go to the quarantine when what was read is
    kept (`settle`), for a table may be stopped, or hold nothing new.
    """

    def __init__(
        self,
        context: FetchContext,
        connection: duckdb.DuckDBPyConnection,
        table: TableSpec,
        shape: Shape,
    ) -> None:
        self.table = table
        self.stopped: Stopped | None = None
        self._deliveries: list[Delivery] = []
        self._refused: dict[str, list[BadRow]] = {}
        self._sample = JsonSample()
        self._columns: str | None = None
        self._read = 0
        self._context = context
        self._connection = connection
        self._shape = shape
        self._folder = context.staging / f"pages-{table.name}"
        self._folder.mkdir()
        self._pages: list[Page] = []
        self._parts: list[Path] = []

    @property
    def source(self) -> str:
        """The name of the source, for messages."""
        return str(self._context.config.name)

    def expect(self, rows: int) -> None:
        """The vendor announces so many rows: what progress is measured against."""
        self._context.progress.expect(rows)

    def add(self, label: str, body: bytes, offered: int | None = None) -> None:
        """Take in one page. The label is its name in `_deliveries`: unique, and nobody's data."""
        self._context.progress.advance(offered or 0)
        if self._shape.counted:
            offered = _occurrences(self._shape.counted, body)
        if self._sample.objects < SAMPLED_ROWS or self._read % PAGES_PER_SAMPLE == 0:
            self._sample.add(self._objects(body))
        self._read += 1
        file = self._folder / f"{len(self._parts):06d}-{len(self._pages):03d}.json"
        file.write_bytes(body)
        self._pages.append(Page(label, file, offered))
        if len(self._pages) == PAGES_PER_COPY:
            self._copy()

    def top_level_text(self, body: bytes, key: str) -> str:
        """The text under a key of the page itself; empty when it is not there."""
        try:
            row = self._connection.execute(
                "select json_extract_string(?, ?)", [body.decode(), f"$.{key}"]
            ).fetchone()
        except (UnicodeDecodeError, duckdb.Error):
            raise self._unreadable("an answer") from None
        return (row[0] if row else None) or ""

    def close(self) -> Path:
        """The Parquet file of everything that was read; at least one `read` came before."""
        self._copy()
        target = self._context.staging / f"{self.table.name}.parquet"
        if len(self._parts) == 1:
            self._parts[0].replace(target)
        else:
            files = ", ".join(literal(part) for part in self._parts)
            copy_to_parquet(
                self._connection, self.table, f"select * from read_parquet([{files}])", target
            )
        shutil.rmtree(self._folder)
        self._columns, self.stopped = hold(
            self._context,
            self.table,
            self._sample.columns(),
            read=self._shape.fields,
            found=extra_fields(self._connection, target),
        )
        return target

    def settle(self, cursor: str | None) -> list[Delivery]:
        """What was read, with where the next read starts; its refused rows are quarantined."""
        for delivery in self._deliveries:
            name, file = delivery.table_name, delivery.file
            write_quarantine(
                self._context.env, self.source, name, file, self._refused.get(file, ())
            )
        *others, last = self._deliveries
        return [*others, replace(last, cursor=cursor, columns=self._columns)]

    def _copy(self) -> None:
        """Pages on disk -> one Parquet part, their counts, and the quarantine."""
        if not self._pages:
            return
        part = self._folder / f"part-{len(self._parts):06d}.parquet"
        self._connection.execute(
            "create or replace temp table pages as select unnest(?) as path, unnest(?) as label",
            [[str(page.path) for page in self._pages], [page.label for page in self._pages]],
        )
        rows = self._rows_query()
        try:
            copy_to_parquet(self._connection, self.table, good_rows(self.table, rows), part)
            self._count(part, rows)
        except duckdb.Error:  # its words may hold a customer's data
            raise self._unreadable(f"a page of {self.table.name}") from None
        self._parts.append(part)
        for page in self._pages:
            page.path.unlink()
        self._pages = []

    def _count(self, part: Path, rows: str) -> None:
        landed = dict(
            self._connection.execute(
                f"select _file, count(*) from read_parquet({literal(part)}) group by _file"
            ).fetchall()
        )
        refused: dict[str, list[BadRow]] = {}
        offered = self._offered()
        if sum(landed.values()) < sum(offered.values()):
            bad = (
                f"select _file, _row, _problem, _original from ({rows}) where _problem is not null"
            )
            for label, number, reason, original in self._connection.execute(bad).fetchall():
                refused.setdefault(label, []).append(BadRow(number, reason, original.encode()))
        for label, rows_offered in offered.items():
            here = refused.get(label, [])
            found = landed.get(label, 0)
            if found + len(here) != rows_offered:
                raise BusyError(
                    f"source {self.source}: {label} announced {rows_offered} rows and brought "
                    f"{found + len(here)}: it changed while it was read",
                    fix="run again; nothing of this delivery was landed",
                )
            if here:
                self._refused[label] = here
            counts = Delivery(self.table.name, label, rows_offered, found, len(here))
            self._deliveries.append(counts)

    def _objects(self, body: bytes) -> list[dict[str, Any]]:
        try:
            return self._shape.objects(json.loads(body))
        except ValueError:
            return []  # what it is will be said when it is read

    def _offered(self) -> dict[str, int]:
        """The rows of each page on disk: as announced, else the elements of its array."""
        uncounted = {str(page.path): page.label for page in self._pages if page.offered is None}
        offered = {page.label: page.offered or 0 for page in self._pages}
        if uncounted:
            path = f"$.{self._shape.name}" if self._shape.name else "$"
            lengths = "select filename, json_array_length(content, ?) from read_text(?)"
            for file, length in self._connection.execute(
                lengths, [path, list(uncounted)]
            ).fetchall():
                offered[uncounted[file]] = length or 0
        return offered

    def _unreadable(self, what: str) -> BusyError:
        return BusyError(
            f"source {self.source}: {what} is not the JSON that this API gives: a half answer, or "
            "not the API's at all",
            fix="check the address, then run again; nothing of this delivery was landed",
        )

    def _rows_query(self) -> str:
        files = ", ".join(literal(page.path) for page in self._pages)
        # A page that is an array itself is one value of that type, not records.
        name, is_record = (self._shape.name, "true") if self._shape.name else ("items", "false")
        items = (
            f"select label as _file, generate_subscripts({name}, 1) as _row, "
            f"unnest({name}) as raw from read_json([{files}], format='unstructured', "
            f"records={is_record}, columns={{{name}: 'JSON[]'}}, "
            "maximum_object_size=100000000, filename=true) join pages on path = filename"
        )
        return rows_query(self.table, self._shape, items)


def _occurrences(key: str, body: bytes) -> int:
    return len(re.findall(rb'"%s"\s*:' % key.encode(), body))
