"""Pages of JSON to Parquet: DuckDB parses some 200 files at a time, and every page is counted.

A page never becomes Python objects (PITFALLS.md): its bytes go to a file, and the rows offered
are what the vendor announces (`ingestion.paging`), or are counted in the bytes, by a key or as the
elements of the array, apart from the reading of their values. A row whose key is missing or whose
value is not of its type goes to the quarantine.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ingestion.parquet import copy_to_parquet, literal, quote
from ingestion.quarantine import BadRow, write_quarantine
from ingestion.spec import Delivery, FetchContext, TableSpec
from khach.errors import BusyError

PAGES_PER_COPY = 200


@dataclass(frozen=True)
class Shape:
    """How a page of JSON becomes rows of a raw table.

    `item`: the DuckDB type of one element of the array `name`, or of the page itself where `name`
    is empty, all leaves VARCHAR or JSON.
    `columns`: column of the table to its expression over `item` (and over `part`, an element of
    `item.<parts>`, when one item holds several rows; and over `_file`, the page's label).
    `counted`: a key that each row has once and whose occurrences are the rows offered; None where
    the vendor announces the rows, or the elements of the array are counted.
    """

    name: str
    item: str
    columns: Mapping[str, str]
    parts: str | None = None
    counted: str | None = None

    @property
    def fields(self) -> str:
        """The dotted paths that the columns read, comma-separated, with `total_items`."""
        paths = {"total_items"}
        for sql in self.columns.values():
            paths.update(f"{self.name}.{path}" for path in re.findall(r"item\.([a-z_.]+)", sql))
            found = re.findall(r'part\."?([a-z_]+)', sql)
            paths.update(f"{self.name}.{self.parts}.{path}" for path in found)
        return ",".join(sorted(paths))


@dataclass(frozen=True)
class Page:
    """One answer on disk, and the rows that are announced; None: its array is counted."""

    label: str
    path: Path
    offered: int | None


class TableReader:
    """Collects the pages of one raw table and writes them as one Parquet file."""

    def __init__(
        self,
        context: FetchContext,
        connection: duckdb.DuckDBPyConnection,
        table: TableSpec,
        shape: Shape,
    ) -> None:
        self.table = table
        self.deliveries: list[Delivery] = []
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
        return target

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
        good = ", ".join(
            f"{typed(quote(name), type_)} as {quote(name)}"
            for name, type_ in self.table.duckdb_columns().items()
        )
        query = f"select {good} from ({rows}) where _problem is null"
        try:
            copy_to_parquet(self._connection, self.table, query, part)
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
            write_quarantine(self._context.env, self.source, self.table.name, label, here)
            self.deliveries.append(Delivery(self.table.name, label, rows_offered, found, len(here)))

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
        shape = self._shape
        files = ", ".join(literal(page.path) for page in self._pages)
        # A page that is an array itself is one value of that type, not records.
        name, is_record = (shape.name, "true") if shape.name else ("items", "false")
        items = (
            f"select label as _file, generate_subscripts({name}, 1) as _item, "
            f"unnest({name}) as item from read_json([{files}], format='unstructured', "
            f"records={is_record}, columns={{{name}: '{shape.item}[]'}}, "
            "maximum_object_size=100000000, filename=true) join pages on path = filename"
        )
        if shape.parts:
            items = (
                f"select _file, _item, item, generate_subscripts(item.{shape.parts}, 1) as _part, "
                f"unnest(item.{shape.parts}) as part from ({items})"
            )
        # Numbering the parts of all items takes a window; an item alone has its number.
        number = (
            "row_number() over (partition by _file order by _item, _part)"
            if shape.parts
            else "_item"
        )
        original = "part" if shape.parts else "item"
        texts = ", ".join(f"{sql} as {quote(name)}" for name, sql in shape.columns.items())
        return (
            f"select *, {self._problem()} as _problem from (select _file, {number} as _row, "
            f"{texts}, cast(to_json({original}) as varchar) as _original from ({items}))"
        )

    def _problem(self) -> str:
        """SQL: why a row cannot land, or NULL; its values are still text here."""
        key, *_ = self.table.columns
        checks = [f"when coalesce({quote(key)}, '') = '' then '{key} is missing'"]
        for name, type_ in self.table.duckdb_columns().items():
            if type_ != "VARCHAR" and name != "_row":
                checks.append(
                    f"when {quote(name)} is not null and {typed(quote(name), type_)} is null "
                    f"then '{name} is not of type {type_.lower()}'"
                )
        return f"case {' '.join(checks)} end"


def typed(text: str, type_: str) -> str:
    """SQL: a text as `type_`, NULL when it is not one; a time's offset is applied, then dropped."""
    if type_ == "TIMESTAMP":
        return f"cast(try_cast({text} as timestamptz) as timestamp)"
    return f"try_cast({text} as {type_})"


def _occurrences(key: str, body: bytes) -> int:
    return len(re.findall(rb'"%s"\s*:' % key.encode(), body))
