"""`khach sources replay`: quarantined rows are read again, through today's configuration.

What passes lands in a load of its own, under the file and row number it was delivered with; the
same commit says which rows those are (`_replayed`), so that a kill at any line leaves either both
or neither. Rows whose load is rejected are in the quarantine again (docs/adr/0006).
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingestion import lake, textfiles, verdicts
from ingestion.config import find_source
from ingestion.delivered import LocalFile
from ingestion.landing import Landed
from ingestion.parquet import copy_to_parquet, duckdb_session, literal, quote
from ingestion.quarantine import (
    QuarantinedRow,
    read_quarantine,
    replace_quarantine,
)
from ingestion.registry import source_spec
from ingestion.run import LandedLoad, landed, opened
from ingestion.spec import CheckedItem, Delivery, Extract, FetchContext, Seen, TableSpec
from khach.errors import KhachError
from khach.progress import Reporter, Silent

if TYPE_CHECKING:
    import duckdb

    from khach.environment import Environment

Key = tuple[str, str, int, bytes]
RowReader = Callable[[FetchContext, str, LocalFile, Path], Landed]


@dataclass(frozen=True)
class TableReplay:
    """One table of a replay: rows that were in the quarantine, that landed now, that stay."""

    table: str
    tried: int
    landed: int
    kept: int


@dataclass(frozen=True)
class Replay:
    """What a replay did; `load` is None when no row passes now.

    `withheld` rows are of deliveries that were rejected as a whole (`ingestion.run.ingest_again`).
    """

    source: str
    load: LandedLoad | None
    tables: Sequence[TableReplay]
    withheld: int = 0


def replay(env: Environment, source: str, *, progress: Reporter | None = None) -> Replay:
    """Read the quarantined rows of a source again and land those that pass now.

    Raises KhachError when the source's kind cannot read single rows again, ConfigError when the
    rows lack a column that the mapping reads.
    """
    config = find_source(env, source)
    spec = source_spec(config.kind)
    with opened(env, source) as staging:
        rows, gone = open_rows(env, source)
        _settle(env, source, rows, gone)  # an earlier replay may have been killed
        withheld = len(read_quarantine(env, source)) - len(rows)
        if not rows:
            return Replay(source, None, (), withheld)
        if spec.replay is None:
            raise KhachError(
                f"source {source}: rows of kind {config.kind} cannot be read again one by one",
                fix="khach run --from DATE --to DATE reads their days again",
            )
        context = FetchContext(env, config, Seen(), staging, progress or Silent())
        tables = spec.tables(config)
        results = {
            table.name: _Table(context, table, own, spec.replay)
            for table in tables
            if (own := [row for row in rows if row.table == table.name])
        }
        for result in results.values():
            result.read()
        load_id = _land(context, tables, results)
        kept = [row for result in results.values() for row in result.kept]
        passed = {row.key for result in results.values() for row in result.passed}
        _settle(env, source, kept, passed)
        counts = [
            TableReplay(name, len(one.rows), len(one.passed), len(one.kept))
            for name, one in results.items()
        ]
        load = landed(env, source, load_id) if load_id else None
        return Replay(source, load, counts, withheld)


def _land(
    context: FetchContext, tables: list[TableSpec], results: Mapping[str, _Table]
) -> str | None:
    """Commit what passes; None when nothing does (then dlt is not started)."""
    passed = [row for result in results.values() for row in result.passed]
    if not passed:
        return None
    files = {name: result.path for name, result in results.items() if result.passed}
    deliveries = [one for result in results.values() for one in result.deliveries()]
    extract = Extract(files, deliveries, passed)
    return lake.land(context.env, context.config.name, tables, extract, context.staging)


def open_rows(env: Environment, source: str) -> tuple[list[QuarantinedRow], set[Key]]:
    """The rows that have not landed, and the keys of those that a replay has landed.

    Open is what is in the quarantine, and what rejected replays took out of it. Rows of a delivery
    that was rejected as a whole are not among them: that is read again as a whole.
    """
    loads = [load.load_id for load in lake.committed_loads(env, source)]
    rejected = verdicts.rejected(env, source)
    readings = _last_readings(env, source, loads)
    found = {row.key: row for row in read_quarantine(env, source)}
    taken: set[Key] = set()
    for load_id, row in lake.replayed(env, source, loads):
        if load_id not in rejected:
            taken.add(row.key)
        # The file may have been delivered again since, with its own quarantine.
        elif float(load_id) > float(readings.get((row.table, row.file), 0)):
            found.setdefault(row.key, row)
    rows = [
        row
        for key, row in sorted(found.items(), key=lambda item: item[0])
        if key not in taken and readings.get((row.table, row.file)) not in {None, *rejected}
    ]
    return rows, taken


def check_quarantine(env: Environment, source: str) -> list[CheckedItem]:
    """For each table with quarantined rows: how many, and their commonest reasons (shapes only)."""
    tables: dict[str, Counter[str]] = {}
    for row in read_quarantine(env, source):
        tables.setdefault(row.table, Counter())[row.bad.reason] += 1
    return [
        CheckedItem(
            source,
            f"quarantine of {table}",
            f"{reasons.total():,} rows: "
            + "; ".join(f"{count:,} {reason}" for reason, count in reasons.most_common(3)),
        )
        for table, reasons in tables.items()
    ]


def _last_readings(env: Environment, source: str, loads: list[str]) -> dict[tuple[str, str], str]:
    """Table and file to the newest load that read the file itself (a replay offers nothing)."""
    readings: dict[tuple[str, str], str] = {}
    for load_id, delivery in lake.deliveries(env, source, loads):
        if delivery.rows_offered:
            place = (delivery.table_name, delivery.file)
            readings[place] = max(load_id, readings.get(place, load_id), key=float)
    return readings


def _settle(env: Environment, source: str, rows: Iterable[QuarantinedRow], gone: set[Key]) -> None:
    """Bring the quarantine files up to date: `rows` are in them, `gone` are not, others stay."""
    now = {row.key: row for row in rows}
    before = [row for row in read_quarantine(env, source) if row.key not in now]
    files: dict[tuple[str, str], list[QuarantinedRow]] = {}
    for row in [*before, *now.values()]:
        kept = files.setdefault((row.table, row.file), [])
        kept += [] if row.key in gone else [row]
    for (table, file), kept in files.items():
        replace_quarantine(env, source, table, file, kept)


class _Table:
    """The quarantined rows of one table, and which of them pass now."""

    def __init__(
        self,
        context: FetchContext,
        table: TableSpec,
        rows: Sequence[QuarantinedRow],
        reader: RowReader,
    ) -> None:
        self.rows = rows
        self._reader = reader
        self.passed: list[QuarantinedRow] = []
        self.kept: list[QuarantinedRow] = []
        self.path = context.staging / f"{table.name}.parquet"
        self._context = context
        self._table = table
        self._filtered: Mapping[str, int] = {}

    def read(self) -> None:
        """Sort the rows into passed and kept; the passed ones are in `path`."""
        groups: dict[str, list[QuarantinedRow]] = {}
        for row in self.rows:
            groups.setdefault(json.dumps(row.columns), []).append(row)
        name = self._context.config.name
        self._context.progress.step(f"{name}: {self._table.name} from the quarantine")
        parts = [self._read(number, group) for number, group in enumerate(groups.values())]
        query = f"select * from read_parquet([{', '.join(literal(part) for part in parts)}])"
        with duckdb_session(self._context.staging) as connection:
            copy_to_parquet(connection, self._table, query, self.path)
            if "_is_kept" in self._table.columns:
                self._filtered = dict(
                    connection.execute(
                        f"select _file, count(*) from read_parquet({literal(self.path)}) "
                        "where not _is_kept group by _file"
                    ).fetchall()
                )

    def deliveries(self) -> list[Delivery]:
        """The rows move from the quarantine into the lake; none is offered a second time."""
        files: dict[str, int] = {}
        for row in self.passed:
            files[row.file] = files.get(row.file, 0) + 1
        return [
            Delivery(self._table.name, file, 0, count, -count, self._filtered.get(file, 0))
            for file, count in files.items()
        ]

    def _read(self, number: int, rows: list[QuarantinedRow]) -> Path:
        """One group of rows of the same form, through the source's own reader."""
        staging = self._context.staging
        readable = staging / f"readable-{self._table.name}-{number}"
        part = staging / f"part-{self._table.name}-{number}.parquet"
        file, offered = _as_file(self._context, rows, readable)
        result = self._reader(self._context, self._table.name, file, part)
        refused = {bad.line: bad.reason for bad in result.refused.get(file.name, ())}
        reasons = {id(row): refused.get(line) for line, row in enumerate(offered, start=1)}
        for row in rows:
            reason = reasons.get(id(row), row.bad.reason)
            if reason is None:
                self.passed.append(row)
            else:
                self.kept.append(replace(row, bad=replace(row.bad, reason=reason)))
        return self._renumbered(part, offered)

    def _renumbered(self, part: Path, offered: Sequence[QuarantinedRow]) -> Path:
        """The rows with the file and row that they were delivered with."""
        target = part.with_suffix(".rows.parquet")
        with duckdb_session(self._context.staging) as connection:
            connection.execute(
                "create temp table delivered as select unnest(?) as file, unnest(?) as line",
                [[row.file for row in offered], [row.bad.line for row in offered]],
            )
            copy_to_parquet(
                connection,
                self._table,
                "select landed.* replace (delivered.file as _file, delivered.line as _row) "
                f"from read_parquet({literal(part)}) as landed "
                "join delivered on landed._row = delivered.rowid + 1",
                target,
            )
        return target


def _as_file(
    context: FetchContext, rows: Sequence[QuarantinedRow], path: Path
) -> tuple[LocalFile, list[QuarantinedRow]]:
    """The rows as a delivered file of their own, and those that could be put into it, in order."""
    columns = rows[0].columns
    name = f"the quarantine of {rows[0].file}"
    if columns is None:
        target = path.with_suffix(".ndjson")
        with target.open("wb") as out:
            out.writelines(row.bad.original + b"\n" for row in rows)
        return LocalFile(f"{name}.ndjson", target, ""), list(rows)
    if isinstance(columns, Mapping):
        target = path.with_suffix(".parquet")
        with duckdb_session(context.staging) as connection:
            taken = _write_typed(connection, columns, rows, target)
        return LocalFile(f"{name}.parquet", target, ""), taken
    target = path.with_suffix(".csv")
    mapping = context.config.tables[rows[0].table]
    taken = _write_csv(columns, rows, mapping.delimiter, target)
    return LocalFile(f"{name}.csv", target, ""), taken


def _write_csv(
    header: Sequence[str], rows: Sequence[QuarantinedRow], delimiter: str, path: Path
) -> list[QuarantinedRow]:
    """Only what is one record of the header's width; the others would spoil their neighbours."""
    taken = []
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for row in rows:
            fields = textfiles.csv_fields(row.bad.original, delimiter)
            if fields is not None and len(fields) == len(header):
                writer.writerow(fields)
                taken.append(row)
    return taken


def _write_typed(
    connection: duckdb.DuckDBPyConnection,
    types: Mapping[str, str],
    rows: Sequence[QuarantinedRow],
    path: Path,
) -> list[QuarantinedRow]:
    """Only rows whose values their declared types can hold: nothing may become NULL on the way."""
    connection.execute(
        "create temp table originals as select unnest(?) as number, unnest(?) as original",
        [list(range(len(rows))), [row.bad.original.decode() for row in rows]],
    )
    fields, lost = [], ["false"]
    for name, type_ in types.items():
        text = f"json_extract_string(original, {literal(_json_path(name))})"
        is_nested = type_.startswith(("STRUCT", "MAP")) or type_.endswith("]")
        value = f"json_extract(original, {literal(_json_path(name))})" if is_nested else text
        fields.append(f"try_cast({value} as {type_}) as {quote(name)}")
        lost.append(f"({text} is not null and try_cast({value} as {type_}) is null)")
    good = f"from originals where not ({' or '.join(lost)}) order by number"
    connection.execute(
        f"copy (select {', '.join(fields)} {good}) to {literal(path)} (format parquet)"
    )
    return [rows[number] for (number,) in connection.execute(f"select number {good}").fetchall()]


def _json_path(name: str) -> str:
    return '$."' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
