"""What reading a vendor's tables has in common: what is new in them, and where the next run starts.

A cursor is a small JSON object in `_deliveries`, so that it commits with its load. `since` is
where the next read starts, in the vendor's own time; `digest` is what it will see again from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ingestion import lake, verdicts
from ingestion.contract import Stopped
from ingestion.pages import TableReader
from ingestion.parquet import copy_to_parquet, literal
from ingestion.rest import Answer
from ingestion.shapes import Shape
from ingestion.spec import Delivery, Extract, FetchContext, TableSpec
from khach.clock import now

# A change may become visible later than its own time says.
OVERLAP = timedelta(hours=6)


class Reading:
    """One fetch of a source: the tables that were read and kept, and their deliveries."""

    def __init__(
        self,
        context: FetchContext,
        connection: duckdb.DuckDBPyConnection,
        tables: Mapping[str, TableSpec],
        shapes: Mapping[str, Shape],
    ) -> None:
        self.context = context
        self.connection = connection
        self.files: dict[str, Path] = {}
        self.stopped: dict[str, Stopped] = {}
        self._tables = tables
        self._shapes = shapes
        self._deliveries: list[Delivery] = []
        self._days: tuple[datetime, datetime] | None = None
        if context.backfill:
            first, after = context.backfill.instants(context.config.time_zone)
            self._days = first.replace(tzinfo=None), after.replace(tzinfo=None)

    @property
    def days(self) -> tuple[datetime, datetime] | None:
        """The first instant (naive UTC) of a backfill and the first one after it."""
        return self._days

    def clock(self, answer: Answer) -> datetime:
        """The vendor's time (naive UTC) when it answered; ours where it tells none."""
        return answer.sent_at or now(self.context.env).astimezone(UTC).replace(tzinfo=None)

    def extract(self) -> Extract | None:
        """Everything kept, or None."""
        if not self.files and not self.stopped:
            return None
        return Extract(self.files, self._deliveries, stopped=list(self.stopped.values()))

    def reader(self, table: str) -> TableReader:
        """A reader of pages for one table."""
        self.context.progress.step(f"{self.context.config.name}: {table}", unit="rows")
        return TableReader(self.context, self.connection, self._tables[table], self._shapes[table])

    def cursor(self, table: str) -> dict[str, Any]:
        """What the last committed load left for this one."""
        cursor: dict[str, Any] = json.loads(self.context.seen.cursors.get(table, "{}"))
        return cursor

    def mark(self, table: str, file: Path, column: str, started: datetime) -> dict[str, Any]:
        """The `since` and `digest` after a read; as before when it saw only what was seen before.

        `started` is the vendor's time when the read began: what changes later, while it goes on,
        may be missing from it, so the next read never starts after that.
        """
        seen = {k: v for k, v in self.cursor(table).items() if k in ("since", "digest")}
        rows = f"select * from read_parquet({literal(file)})"
        if seen and self.digest(table, rows) == seen["digest"]:
            return seen
        newest = self.connection.execute(f"select max({column}) from ({rows})").fetchone()
        since = min(newest[0] if newest and newest[0] else started, started) - OVERLAP
        again = f"{rows} where {column} > timestamp {literal(str(since))}"
        return {"since": since.isoformat(), "digest": self.digest(table, again)}

    def keep_when_changed(self, reader: TableReader, file: Path) -> None:
        """Keep a table that is read whole, unless it is what the last load had."""
        table = reader.table.name
        digest = {"digest": self.digest(table, f"select * from read_parquet({literal(file)})")}
        if digest != self.cursor(table):
            self.keep(reader, file, digest)

    def keep(self, reader: TableReader, file: Path, cursor: dict[str, Any]) -> None:
        """Hand a table to the lake, unless it is stopped; a backfill leaves no cursor."""
        if reader.stopped:
            self.stopped[reader.table.name] = reader.stopped
            return
        self._deliveries += reader.settle(
            None if self._days else json.dumps(cursor, sort_keys=True)
        )
        self.files[reader.table.name] = file

    def hold_back(self, table: str) -> None:
        """Leave the cursor of a table where it was: what its rows name could not be kept."""
        before = self.context.seen.cursors.get(table)
        self._deliveries = [
            replace(one, cursor=before if one.cursor else None) if one.table_name == table else one
            for one in self._deliveries
        ]

    def last_cursor(self, table: str) -> dict[str, Any]:
        """The cursor of this fetch where the table was kept, else the one before."""
        own = [d.cursor for d in self._deliveries if d.table_name == table and d.cursor]
        cursor: dict[str, Any] = json.loads(own[-1]) if own else self.cursor(table)
        return cursor

    def add_rows(self, table: str, label: str, query: str, cursor: dict[str, Any]) -> None:
        """Add rows that no page brought, such as tombstones, to what is kept of a table.

        `query` yields some of the table's columns; the others are null. A stopped table gets none.
        """
        if table in self.stopped:
            return
        columns = self._tables[table].duckdb_columns()
        empty = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in columns.items())
        rows = (
            f"select * from (select {empty} where false) union all by name select *, "
            f"{literal(label)} as _file, row_number() over (order by id) as _row from ({query})"
        )
        target = self.context.staging / f"{table}.parquet"
        added = self.context.staging / f"{table}-added.parquet"
        count = copy_to_parquet(self.connection, self._tables[table], rows, added)
        if table in self.files:
            both = f"select * from read_parquet([{literal(target)}, {literal(added)}])"
            whole = self.context.staging / f"{table}-whole.parquet"
            copy_to_parquet(self.connection, self._tables[table], both, whole)
            added.unlink()
            added = whole
        added.replace(target)
        self.files[table] = target
        text = json.dumps(cursor, sort_keys=True)
        self._deliveries.append(Delivery(table, label, count, count, cursor=text))

    def held(self, table: str) -> str:
        """SQL: the newest row of each key that the lake has of a table, tombstones too.

        Rejected loads do not count: what they brought is read again.
        """
        source, env = self.context.config.name, self.context.env
        rejected = verdicts.rejected(env, source)
        committed = [load.load_id for load in lake.committed_loads(env, source)]
        loads = [load for load in committed if load not in rejected]
        columns = self._tables[table].duckdb_columns()
        empty = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in columns.items())
        rows = f"select {empty}, cast(null as varchar) as _load_id where false"
        if relation := lake.load_rows(env, source, table, loads):
            rows += f" union all by name select * from {relation}"
        return (
            f"select * from ({rows}) qualify row_number() over (partition by id order by "
            "cast(_load_id as double) desc, _file desc, _row desc) = 1"
        )

    def digest(self, table: str, rows: str) -> str:
        """Recognises the same rows in any order: how many, and the XOR of their hashes."""
        return content_digest(self.connection, self._tables[table], rows)


def content_digest(connection: duckdb.DuckDBPyConnection, table: TableSpec, rows: str) -> str:
    """Recognises the same distinct rows in any order, wherever in the pages they stood.

    Of the fields that no column reads their names count: that one is new must land, and many of
    their values change without an end (a list's statistics).
    """
    columns = [name for name in table.columns if not name.startswith("_")]
    columns += ["json_keys(_extra)"] if "_extra" in table.columns else []
    text = " || '|' || ".join(f"coalesce(cast(to_json({c}) as varchar), '')" for c in columns)
    found = connection.execute(
        "select count(*) || ':' || coalesce(bit_xor(mark), 0) from "
        f"(select distinct md5_number({text}) as mark from ({rows}))"
    ).fetchone()
    return str(found[0]) if found else ""
