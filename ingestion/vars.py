"""What dbt must know of the sources: the var `sources`, and how far the data reaches."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import duckdb

from ingestion import lake
from ingestion.config import load_sources
from ingestion.entities import VENDORS_EVENT_COLUMNS, entity_of, event_columns
from ingestion.registry import source_spec
from khach.state import open_state

if TYPE_CHECKING:
    from khach.environment import Environment


def dbt_sources(env: Environment) -> list[dict[str, Any]]:
    """One entry per configured source, in the order of sources.yml.

    `landed` are the tables that staging or the account of rows reads: wanted now, or once and
    still there.
    """
    found = []
    for source in load_sources(env):
        tables = [table.name for table in source_spec(source.kind).tables(source)]
        landed = {*tables, *lake.tables_present(env, source.name)}
        found.append(
            {
                "name": source.name,
                "kind": source.kind,
                "namespace": source.namespace,
                **({"namespaces": source.namespaces} if source.namespaces else {}),
                "area": source.area,
                "tables": tables,
                "landed": sorted(name for name in landed if not name.startswith("_")),
                "time_zone": source.time_zone,
                "currency": source.currency,
            }
        )
    return found


def newest_event(env: Environment) -> datetime | None:
    """The newest event time (naive UTC) in accepted loads; None when there is none."""
    with open_state(env) as state:
        rows = state.execute(
            "select source, list(load_id) from loads where verdict = 'accepted' group by source"
        ).fetchall()
    loads: dict[str, list[str]] = dict(rows)
    tables = {source: lake.tables_present(env, source) for source in loads}
    newest: list[datetime] = []
    with duckdb.connect() as connection:
        for table, column in event_columns().items():
            found = [
                lake.load_rows(env, source, name, ids)
                for source, ids in loads.items()
                for name in sorted(tables[source])
                if entity_of(name) == table
            ]
            rows_of = [f"select * from {relation}" for relation in found if relation]
            if not rows_of:
                continue
            columns = (column, *VENDORS_EVENT_COLUMNS.get(table, ()))
            empty = ", ".join(f"cast(null as timestamp) as {name}" for name in columns)
            told = " union all by name ".join([f"select {empty} where false", *rows_of])
            newest_of = ", ".join(f"max({name})" for name in columns)
            row = connection.execute(f"select greatest({newest_of}, null) from ({told})").fetchone()
            newest += [row[0]] if row and row[0] else []
    return max(newest, default=None)
