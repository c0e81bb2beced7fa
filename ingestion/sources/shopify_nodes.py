"""Nodes of the Admin API to Parquet: pages and bulk files alike, counted before they are parsed.

DuckDB takes the JSON apart (`shopify_sql`), and what was read must be what was offered
(`shopify_offers`). A line of a bulk file that says none of the types is offered too, and goes to
the quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from ingestion.casts import typed
from ingestion.contract import SAMPLED_LINES, JsonSample, Stopped, head
from ingestion.parquet import copy_to_parquet, literal, quote
from ingestion.quarantine import BadRow, write_quarantine
from ingestion.sources.shopify_offers import Offer, count_lines, named_types, nodes_of
from ingestion.sources.shopify_sql import BulkFile, Pages, line_types, rows_sql
from ingestion.sources.shopify_tables import NodeTable, Root
from ingestion.spec import Delivery, FetchContext
from ingestion.vendor_contract import SAMPLED_ROWS, hold
from khach.errors import BusyError, KhachError

PAGES_PER_COPY = 200


class NodeReader:
    """Collects what was read of one root and writes one Parquet file per table."""

    def __init__(
        self, context: FetchContext, connection: duckdb.DuckDBPyConnection, root: Root
    ) -> None:
        self.root = root
        self.stopped: dict[str, Stopped] = {}
        self._deliveries: dict[str, list[Delivery]] = {table.name: [] for table in root.tables}
        self._refused: dict[tuple[str, str], list[BadRow]] = {}
        self._samples = {table.name: JsonSample() for table in root.tables}
        self._columns: dict[str, str] = {}
        self._context = context
        self._connection = connection
        self._folder = context.staging / f"nodes-{root.name}"
        self._folder.mkdir()
        self._pages: list[Offer] = []
        self._read = 0
        self._parts: dict[str, list[Path]] = {table.name: [] for table in root.tables}

    @property
    def folder(self) -> Path:
        """Where downloads of this root may lie."""
        return self._folder

    def page(self, label: str, body: bytes) -> None:
        """Take one answer of a page query."""
        path = self._folder / f"page-{self._read:06d}.json"
        self._read += 1
        path.write_bytes(body)
        if self._samples[self.root.first.name].objects < SAMPLED_ROWS:
            self._take_sample(nodes_of(body), is_bulk=False)
        self._pages.append(Offer(label, path, named_types(path)))
        if len(self._pages) == PAGES_PER_COPY:
            self._copy_pages()

    def bulk(self, label: str, path: Path, root_nodes: int, fingerprint: str) -> None:
        """Take the file of a bulk operation, which names how many root nodes it has."""
        named = named_types(path)
        self._take_sample(head([path], SAMPLED_LINES), is_bulk=True)
        lines = line_types(self.root)
        unknown = count_lines(path) - sum(named[one] for one in lines)
        if named[self.root.type_name] + unknown < root_nodes:
            raise BusyError(
                f"source {self._context.config.name}: a bulk operation found {root_nodes} "
                f"{self.root.name} and its file has {named[self.root.type_name]}",
                fix="run again; nothing of it was landed",
            )
        named[self.root.first.type_name] += unknown
        self._copy(BulkFile(self.root, path), [Offer(label, path, named, fingerprint)])

    def tombstones(self, table: NodeTable, query: str, label: str) -> None:
        """Land deleted keys: `query` yields the key and, where there is one, the clock."""
        given = self._connection.sql(f"select * from ({query})").columns
        told = {"_file": literal(label), "_row": "row_number() over ()", "_is_kept": "true",
                "_is_deleted": "true"} | {name: quote(name) for name in given}  # fmt: skip
        columns = ", ".join(f"{told.get(n, 'null')} as {quote(n)}" for n in table.table.columns)
        part = self._part(table)
        sql = f"select {columns} from ({query})"
        count = copy_to_parquet(self._connection, table.table, sql, part)
        self._deliveries[table.name].append(Delivery(table.name, label, count, count))

    def close(self) -> dict[str, Path]:
        """The Parquet file of each table of which anything was read and that is not stopped."""
        self._copy_pages()
        files = {}
        for table in self.root.tables:
            parts = self._parts[table.name]
            if not parts or not self._hold(table):
                continue
            files[table.name] = self._context.staging / f"{table.name}.parquet"
            if len(parts) == 1:
                parts[0].replace(files[table.name])
                continue
            listed = ", ".join(literal(part) for part in parts)
            query = f"select * from read_parquet([{listed}])"
            copy_to_parquet(self._connection, table.table, query, files[table.name])
        return files

    def settle(self, cursor: str | None) -> list[Delivery]:
        """What was read, with where the next read starts; refused rows go to the quarantine.

        The cursor is that of all tables: while one is stopped, the others are read from where they
        were, too.
        """
        first = self.root.first.name
        self._deliveries[first] = self._deliveries[first] or [Delivery(first, self.root.name, 0, 0)]
        found: list[Delivery] = []
        for name, deliveries in self._deliveries.items():
            if name in self.stopped or not deliveries:
                continue
            for one in deliveries:
                rows = self._refused.get((name, one.file), ())
                write_quarantine(self._context.env, self._context.config.name, name, one.file, rows)
            *others, last = deliveries
            mark = cursor if name == first and not self.stopped else None
            found += [*others, replace(last, cursor=mark, columns=self._columns.get(name))]
        return found

    def _take_sample(self, nodes: Iterable[dict[str, Any]], *, is_bulk: bool) -> None:
        for node in nodes:
            for table in self.root.tables:
                self._samples[table.name].add(table.objects(node, self.root, is_bulk=is_bulk))

    def _hold(self, table: NodeTable) -> bool:
        """Whether the schema contract lets the table land."""
        sampled = self._samples[table.name].columns()
        columns, stopped = hold(self._context, table.table, sampled, read=table.fields)
        if stopped:
            self.stopped[table.name] = stopped
        else:
            self._columns[table.name] = columns
        return stopped is None

    def _part(self, table: NodeTable) -> Path:
        parts = self._parts[table.name]
        parts.append(self._folder / f"{table.name}-{len(parts):06d}.parquet")
        return parts[-1]

    def _copy_pages(self) -> None:
        if self._pages:
            self._copy(Pages(self.root, [page.path for page in self._pages]), self._pages)
            for page in self._pages:
                page.path.unlink()
        self._pages = []

    def _copy(self, source: Pages | BulkFile, offers: list[Offer]) -> None:
        names = [[str(o.path) for o in offers], [o.label for o in offers]]
        self._connection.execute(
            "create or replace temp table offers as select unnest(?) as path, unnest(?) as label",
            names,
        )
        for table in self.root.tables:
            rows = rows_sql(table, source.nodes(table))
            types = table.table.duckdb_columns()
            good = ", ".join(
                quote(n) if n.startswith("_") else f"{typed(quote(n), t)} as {quote(n)}"
                for n, t in types.items()
            )
            part = self._part(table)
            query = f"select {good} from ({rows}) where _problem is null"
            try:
                copy_to_parquet(self._connection, table.table, query, part)
                self._count(table, offers, rows, part, source.lost(table))
            except duckdb.InvalidInputException:
                raise KhachError(  # DuckDB's own message would hold the line
                    f"source {self._context.config.name}: {offers[0].label} is not readable text",
                    fix="run again; nothing of it was landed",
                ) from None

    def _count(
        self, table: NodeTable, offers: list[Offer], rows: str, part: Path, lost: str | None
    ) -> None:
        counts = {
            file: (found, filtered)
            for file, found, filtered in self._connection.execute(
                "select _file, count(*), count(*) filter (not _is_kept) "
                f"from read_parquet({literal(part)}) group by _file"
            ).fetchall()
        }
        refused: dict[str, list[BadRow]] = {}
        if sum(found for found, _ in counts.values()) < sum(
            o.named[table.type_name] for o in offers
        ):
            bad = (
                f"select _file, _row, _problem, _original from ({rows}) where _problem is not null"
            )
            for label, number, reason, original in self._connection.execute(bad).fetchall():
                refused.setdefault(label, []).append(BadRow(number, reason, original.encode()))
        source = self._context.config.name
        for offer in offers:
            here, offered = refused.get(offer.label, []), offer.named[table.type_name]
            found, filtered = counts.get(offer.label, (0, 0))
            if lost and found + len(here) < offered:
                row = self._connection.execute(lost).fetchone()
                offered -= int(row[0] or 0) if row else 0
            if found + len(here) != offered:
                raise KhachError(
                    f"source {source}: {offer.label} offers {offered} rows of {table.name}, and "
                    f"{found + len(here)} were read; nothing of it was landed",
                    fix="report this with the number of rows",
                )
            if here:
                self._refused[table.name, offer.label] = here
            self._deliveries[table.name].append(
                Delivery(table.name, offer.label, offered, found, len(here), filtered,
                         fingerprint=offer.fingerprint)
            )  # fmt: skip
