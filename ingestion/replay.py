"""`khach sources replay`: quarantined rows are read again, through today's configuration.

What passes lands in a load of its own, under the file and row number it was delivered with; the
same commit says which rows those are (`_replayed`), so that a kill at any line leaves either both
or neither. Rows whose load is rejected are in the quarantine again (docs/adr/0006).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ingestion import dlt_pipeline, lake, verdicts
from ingestion.checked import CheckedItem
from ingestion.config import find_source
from ingestion.landing import landed_counts
from ingestion.parquet import duckdb_session
from ingestion.quarantine import (
    QuarantinedRow,
    read_quarantine,
    replace_quarantine,
)
from ingestion.registry import source_spec
from ingestion.run import LandedLoad, landed, opened
from ingestion.spec import Delivery, Extract, FetchContext, Seen, TableSpec
from khach.progress import Reporter, Silent

if TYPE_CHECKING:
    from ingestion.spec import RowReplay
    from khach.environment import Environment

Key = tuple[str, str, int, bytes]


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

    Raises ConfigError when the rows lack a column that the mapping reads.
    """
    config = find_source(env, source)
    spec = source_spec(config.kind)
    with opened(env, source) as staging:
        rows, gone = open_rows(env, source)
        _settle(env, source, rows, gone)  # an earlier replay may have been killed
        withheld = len(read_quarantine(env, source)) - len(rows)
        if not rows:
            return Replay(source, None, (), withheld)
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
    return dlt_pipeline.land(context.env, context.config.name, tables, extract, context.staging)


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
        reader: RowReplay,
    ) -> None:
        self.rows = rows
        self.passed: list[QuarantinedRow] = []
        self.kept: list[QuarantinedRow] = []
        self.path = context.staging / f"{table.name}.parquet"
        self._context = context
        self._table = table
        self._reader = reader
        self._filtered: Mapping[str, int] = {}

    def read(self) -> None:
        """Sort the rows into passed and kept; the passed ones are in `path`."""
        name = self._context.config.name
        self._context.progress.step(f"{name}: {self._table.name} from the quarantine")
        reasons = self._reader(self._context, self._table, self.rows, self.path)
        for row, reason in zip(self.rows, reasons, strict=True):
            if reason is None:
                self.passed.append(row)
            else:
                self.kept.append(replace(row, bad=replace(row.bad, reason=reason)))
        with duckdb_session(self._context.staging) as connection:
            _, self._filtered = landed_counts(connection, self._table, self.path)

    def deliveries(self) -> list[Delivery]:
        """The rows move from the quarantine into the lake; none is offered a second time."""
        files = Counter(row.file for row in self.passed)
        return [
            Delivery(self._table.name, file, 0, count, -count, self._filtered.get(file, 0))
            for file, count in files.items()
        ]
