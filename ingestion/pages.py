"""Pages of JSON to Parquet: DuckDB parses some 200 files at a time, and every page is counted.

A page never becomes Python objects (PITFALLS.md): its bytes go to a file, and the rows offered
are read from the bytes, by `total_items` or by counting a key, before anything parses them. A row
whose key is missing or whose value is not of its type goes to the quarantine.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.parquet import copy_to_parquet, literal, quote
from ingestion.quarantine import BadRow, write_quarantine
from ingestion.rest import Api
from ingestion.spec import Delivery, FetchContext, TableSpec
from khach.errors import BusyError, KhachError

if TYPE_CHECKING:
    import duckdb

PAGES_PER_COPY = 200


@dataclass(frozen=True)
class Shape:
    """How a page of JSON becomes rows of a raw table.

    `item`: the DuckDB type of one element of the array `name`, all leaves VARCHAR or JSON.
    `columns`: column of the table to its expression over `item` (and over `part`, an element of
    `item.<parts>`, when one item holds several rows). `counted`: a key that each row has once and
    whose occurrences are the rows offered; None where `total_items` counts the rows themselves.
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
    """One answer on disk, and the rows the vendor says are in it."""

    label: str
    path: Path
    offered: int


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

    def read(self, api: Api, path: str, params: Mapping[str, str | int], count: int) -> None:
        """Fetch every page of a collection, `count` items each, by offset and `total_items`."""
        offset, total = 0, 1
        while offset < total:
            body = api.get(path, {**params, "count": count, "offset": offset})
            total = self._total(body, path)
            progress = self._context.progress
            progress.expect(0 if offset else total)
            progress.advance(max(0, min(count, total - offset)))
            offered = max(0, min(count, total - offset))
            if self._shape.counted:
                offered = _occurrences(self._shape.counted, body)
            since = "".join(f"{k}={v}&" for k, v in params.items() if k.startswith("since"))
            file = self._folder / f"{len(self._parts):06d}-{len(self._pages):03d}.json"
            file.write_bytes(body)
            self._pages.append(Page(f"{path}?{since}offset={offset}", file, offered))
            if len(self._pages) == PAGES_PER_COPY:
                self._copy()
            offset += count

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

    def _total(self, body: bytes, path: str) -> int:
        # The quotes inside a JSON string are escaped, so this can only be the key itself.
        found = re.findall(rb'"total_items"\s*:\s*([0-9]+)', body)
        if len(found) != 1:
            raise KhachError(f"source {self._context.config.name}: {path} gives no total_items")
        return int(found[0])

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
        copy_to_parquet(self._connection, self.table, query, part)
        self._count(part, rows)
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
        if sum(landed.values()) < sum(page.offered for page in self._pages):
            bad = (
                f"select _file, _row, _problem, _original from ({rows}) where _problem is not null"
            )
            for label, number, reason, original in self._connection.execute(bad).fetchall():
                refused.setdefault(label, []).append(BadRow(number, reason, original.encode()))
        source = self._context.config.name
        for page in self._pages:
            here = refused.get(page.label, [])
            found = landed.get(page.label, 0)
            if found + len(here) != page.offered:
                raise BusyError(
                    f"source {source}: {page.label} announced {page.offered} rows and brought "
                    f"{found + len(here)}: it changed while it was read",
                    fix="run again; nothing of this delivery was landed",
                )
            write_quarantine(self._context.env, source, self.table.name, page.label, here)
            self.deliveries.append(
                Delivery(self.table.name, page.label, page.offered, found, len(here))
            )

    def _rows_query(self) -> str:
        shape = self._shape
        files = ", ".join(literal(page.path) for page in self._pages)
        items = (
            f"select label as _file, generate_subscripts({shape.name}, 1) as _item, "
            f"unnest({shape.name}) as item from read_json([{files}], format='unstructured', "
            f"columns={{{shape.name}: '{shape.item}[]'}}, maximum_object_size=100000000, "
            "filename=true) join pages on path = filename"
        )
        if shape.parts:
            items = (
                f"select _file, _item, item, generate_subscripts(item.{shape.parts}, 1) as _part, "
                f"unnest(item.{shape.parts}) as part from ({items})"
            )
        order = "_item, _part" if shape.parts else "_item"
        original = "part" if shape.parts else "item"
        texts = ", ".join(f"{sql} as {quote(name)}" for name, sql in shape.columns.items())
        return (
            f"select *, {self._problem()} as _problem from (select _file, row_number() over "
            f"(partition by _file order by {order}) as _row, {texts}, "
            f"cast(to_json({original}) as varchar) as _original from ({items}))"
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
