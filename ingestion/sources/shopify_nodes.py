"""Nodes of the Admin API to Parquet: pages and bulk files alike, counted before they are parsed.

DuckDB takes the JSON apart (PITFALLS.md); how many rows a page or file offers is the number of
times that its bytes say `"__typename":"<type>"`, which inside a JSON string would be escaped. A
line of a bulk file that says none of the types is offered too, and goes to the quarantine.
"""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from ingestion.casts import misfit, typed
from ingestion.contract import SAMPLED_LINES, JsonSample, Stopped, head
from ingestion.parquet import copy_to_parquet, literal, quote
from ingestion.quarantine import BadRow, write_quarantine
from ingestion.sources.shopify_tables import ROOTS, NodeTable, Root
from ingestion.spec import Delivery, FetchContext
from ingestion.vendor_contract import SAMPLED_ROWS, hold
from khach.errors import BusyError, KhachError

PAGES_PER_COPY = 200
# The node above is named in a bulk file, and in the original of a refused row from anywhere.
_PARENT = "node ->> '$.__parentId' as parent"
_WITH_PARENT = "cast(json_merge_patch(node, json_object('__parentId', parent)) as varchar)"
_LINES = (
    "delim='\\x01', quote='', escape='', header=false, auto_detect=false, "
    "max_line_size=100000000, columns={'line': 'VARCHAR'}"
)


@dataclass(frozen=True)
class Offer:
    """A page or bulk file on disk, and how often its bytes name each type of node."""

    label: str
    path: Path
    named: Counter[str]
    fingerprint: str | None = None


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
        self._pages.append(Offer(label, path, _named(path)))
        if len(self._pages) == PAGES_PER_COPY:
            self._copy_pages()

    def bulk(self, label: str, path: Path, root_nodes: int, fingerprint: str) -> None:
        """Take the file of a bulk operation, which names how many root nodes it has."""
        named = _named(path)
        self._take_sample(head([path], SAMPLED_LINES), is_bulk=True)
        lines = _line_types(self.root)
        unknown = _count_lines(path) - sum(named[one] for one in lines)
        if named[self.root.type_name] + unknown < root_nodes:
            raise BusyError(
                f"source {self._context.config.name}: a bulk operation found {root_nodes} "
                f"{self.root.name} and its file has {named[self.root.type_name]}",
                fix="run again; nothing of it was landed",
            )
        named[self.root.first.type_name] += unknown
        self._copy(_BulkFile(self.root, path), [Offer(label, path, named, fingerprint)])

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
            self._copy(_Pages(self.root, self._pages), self._pages)
            for page in self._pages:
                page.path.unlink()
        self._pages = []

    def _copy(self, source: _Pages | _BulkFile, offers: list[Offer]) -> None:
        names = [[str(o.path) for o in offers], [o.label for o in offers]]
        self._connection.execute(
            "create or replace temp table offers as select unnest(?) as path, unnest(?) as label",
            names,
        )
        for table in self.root.tables:
            rows = _rows_sql(table, source.nodes(table))
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


@dataclass(frozen=True)
class _Pages:
    """SQL of the nodes in answers of a page query; `offers` names the files."""

    root: Root
    offers: list[Offer]

    def nodes(self, table: NodeTable) -> str:
        """`_file`, `_row`, `parent`, `node` and `original` of one table's nodes."""
        files = ", ".join(literal(offer.path) for offer in self.offers)
        answers = (
            "select label, json_extract(data, '$.page.nodes[*]') as nodes from "
            f"read_json([{files}], format='unstructured', columns={{data: 'JSON'}}, "
            "maximum_object_size=100000000, filename=true) join offers on path = filename"
        )
        roots = (
            "select label as _file, generate_subscripts(nodes, 1) as _row, "
            f"cast(null as varchar) as parent, unnest(nodes) as node from ({answers})"
        )
        if table.inside:
            roots = _inside(roots, f"$.{table.inside}{'.nodes' * table.is_connection}[*]")
        return f"select *, true as is_json, {_WITH_PARENT} as original from ({roots})"

    def lost(self, _table: NodeTable) -> str | None:
        """A page is JSON or no answer at all."""
        return None


@dataclass(frozen=True)
class _BulkFile:
    """SQL of the nodes in the file of a bulk operation."""

    root: Root
    path: Path

    def nodes(self, table: NodeTable) -> str:
        """`_file`, `_row`, `parent`, `node` and `original` of one table's nodes."""
        lines = (
            f"select label as _file, _row, line as original, {_line_node('line')} from (select "
            f"line, row_number() over () as _row from read_csv({literal(self.path)}, {_LINES})), "
            "offers"
        )
        if table.inside and not table.is_connection:
            roots = f"select * from ({lines}) where {_says(self.root.type_name)}"
            inside = _inside(roots, f"$.{table.inside}[*]")
            return f"select *, true as is_json, {_WITH_PARENT} as original from ({inside})"
        wanted = _says(table.type_name)
        if table is self.root.first:
            others = [one for one in _line_types(self.root) if one != table.type_name]
            wanted = " and ".join([f"not {_says(one)}" for one in others] or ["true"])
        return f"select *, {_PARENT} from ({lines}) where {wanted}"

    def lost(self, table: NodeTable) -> str | None:
        """SQL: how many rows stand inside root lines that are no JSON, which are refused whole."""
        if not table.inside or table.is_connection:
            return None
        named = f"regexp_extract_all(line, {_pattern(table.type_name)})"
        return (
            f"select sum(len({named})) from read_csv({literal(self.path)}, {_LINES}) "
            "where not json_valid(line)"
        )


def replay_query(table: str, originals: str) -> str:
    """SQL of quarantined nodes and lines (`ingestion.replay_rows.through_queries`)."""
    found = next(one for root in ROOTS for one in root.tables if one.name == table)
    nodes = f"select _file, _row, original, {_line_node('original')} from ({originals})"
    return _rows_sql(found, f"select *, {_PARENT} from ({nodes})")


def _line_node(line: str) -> str:
    """SQL: a line as `node` and whether it `is_json`."""
    return (
        f"coalesce(json_valid({line}), false) as is_json, case when json_valid({line}) then "
        f"cast({line} as json) else cast('{{}}' as json) end as node"
    )


def _inside(roots: str, path: str) -> str:
    """The nodes inside the root nodes, numbered through each file."""
    return (
        "select _file, row_number() over (partition by _file order by _root, _place) as _row, "
        "parent, node from (select _file, _row as _root, node ->> '$.id' as parent, "
        f"generate_subscripts(found, 1) as _place, unnest(found) as node from (select *, "
        f"json_extract(node, {literal(path)}) as found from ({roots})))"
    )


def keys_sql(root: Root, path: Path | None) -> str:
    """SQL of the ids of a root's first table in the file of a bulk operation."""
    if path is None:
        return "select cast(null as varchar) as id where false"
    return (
        f"select line ->> '$.id' as id from (select line, line as original from "
        f"read_csv({literal(path)}, {_LINES})) where {_says(root.first.type_name)}"
    )


def _rows_sql(table: NodeTable, nodes: str) -> str:
    """SQL of a table's columns as text, `_problem` (null = good) and `_original`."""
    texts = ", ".join(f"{sql} as {quote(name)}" for name, sql in table.expressions().items())
    return (
        f"select *, {_problem(table)} as _problem, coalesce({table.is_kept}, false) as _is_kept, "
        f"false as _is_deleted from (select _file, _row, is_json as _is_json, "
        f"original as _original, {texts} from (select *, json_transform(node, "
        f"{literal(table.structure)}) as item from ({nodes})))"
    )


def _problem(table: NodeTable) -> str:
    key, *_ = table.table.columns
    checks = [
        "when not _is_json then 'not valid JSON'",
        f"when coalesce({quote(key)}, '') = '' then '{key} is missing'",
    ]
    for name, type_ in table.table.duckdb_columns().items():
        if type_ == "VARCHAR" or name.startswith("_"):
            continue
        bad = misfit(quote(name), type_)
        checks.append(f"when {bad} then '{name} is not of type {type_.lower()}'")
    return f"case {' '.join(checks)} end"


def _line_types(root: Root) -> list[str]:
    """The types that are lines of a bulk file."""
    inside = [table.type_name for table in root.tables if table.is_connection]
    return [root.type_name, *inside]


def _says(type_name: str) -> str:
    return f"regexp_matches(original, {_pattern(type_name)})"


def _pattern(type_name: str) -> str:
    return f'\'"__typename"\\s*:\\s*"{type_name}"\''


def nodes_of(body: bytes) -> list[dict[str, Any]]:
    """The root nodes of an answer."""
    page = json.loads(body)["data"]["page"]
    return [node for node in page["nodes"] if isinstance(node, dict)]


def _named(path: Path) -> Counter[str]:
    """How often the bytes name each type of node."""
    pattern = re.compile(rb'"__typename"\s*:\s*"([A-Za-z]+)"')
    with path.open("rb") as content:
        if not path.stat().st_size:
            return Counter()
        with mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return Counter(found[1].decode() for found in pattern.finditer(data))


def _count_lines(path: Path) -> int:
    lines, last = 0, b""
    with path.open("rb") as content:
        while chunk := content.read(1 << 20):
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    return lines + (last not in (b"", b"\n"))
