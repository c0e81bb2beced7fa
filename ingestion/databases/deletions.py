"""Rows that are gone from a table that leaves no tombstones: all of its keys against the lake's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ingestion import lake, verdicts
from ingestion.databases.table import Table
from ingestion.entities import ENTITIES, entity_of, entity_table
from ingestion.expressions import expression_columns
from ingestion.landing import count_mismatch
from ingestion.mapping import targets
from ingestion.parquet import copy_to_parquet, literal, quote
from ingestion.spec import Delivery, FetchContext, SourceConfig
from khach.errors import GateError

_FEW = 20  # so many may always be deleted at once


class Deletions(BaseModel):
    """How deletions are noticed where the source does not tell them."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    compare_every_days: Annotated[int, Field(ge=1)]
    """Every so many days all keys of the table are compared with those in the lake."""
    max_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """A larger share of the keys gone at once is rather a table being filled anew: it stops."""


def compared_at(marks: Mapping[str, Any], wanted: Deletions | None, now: datetime) -> str | None:
    """What the marks of a load say of the last compare; `now` when one is due with it."""
    last = marks.get("compared")
    if wanted is None:
        return last
    is_due = last is None or now - datetime.fromisoformat(last) >= timedelta(
        days=wanted.compare_every_days
    )
    return now.isoformat(timespec="seconds") if is_due else last


def add_deleted(
    context: FetchContext, table: Table, wanted: Deletions, delivery: Delivery, path: Path
) -> Delivery:
    """Add a tombstone for each key of the lake that the table has no more to the file at `path`.

    GateError when there are too many of them to be believed.
    """
    config, duck = context.config, table.database.duck
    known = _known_keys(context, table.entity)
    if known is None:
        return delivery
    _read_keys(table, config)
    duck.execute(
        f"create or replace temp table gone as select k.* from ({known}) as k "
        "anti join present on k.key = present.key"
    )
    (gone,), (all_,) = duck.execute(
        f"select count(*) from gone union all select count(*) from ({known})"
    ).fetchall()
    if not gone:
        return delivery
    if gone > max(_FEW, wanted.max_share * all_):
        raise GateError(
            f"source {config.name}: {gone:,} of {all_:,} keys of {table.entity} are gone from "
            f"{table.name}; nothing was landed",
            fix="if they were really deleted, raise deletions.max_share of this table for one run",
        )
    _append_tombstones(table, delivery, path)
    return replace(
        delivery,
        rows_offered=delivery.rows_offered + gone,
        rows_landed=delivery.rows_landed + gone,
    )


def _append_tombstones(table: Table, delivery: Delivery, path: Path) -> None:
    """The keys in `gone`, after the rows of the file at `path`, where there is one."""
    duck = table.database.duck
    key, *others = ENTITIES[entity_of(table.entity)]
    now = literal(datetime.now(UTC).replace(tzinfo=None).isoformat(" "))
    moment = ""
    if "updated_at" in others:
        moment = f", greatest(timestamp {now}, updated_at + interval 1 microsecond) as updated_at"
    spec = entity_table(table.entity)
    empty = ", ".join(f"null::{type_} as {quote(n)}" for n, type_ in spec.duckdb_columns().items())
    landed = f"read_parquet({literal(path)})" if path.exists() else f"(select {empty} limit 0)"
    both = path.with_suffix(".both.parquet")
    copy_to_parquet(
        duck,
        spec,
        f"select * from {landed} union all by name select key as {quote(key)}{moment}, "
        f"{literal(table.file)} as _file, {delivery.rows_offered} + row_number() over (order by "
        "key) as _row, true as _is_kept, true as _is_deleted from gone",
        both,
    )
    both.replace(path)


def _known_keys(context: FetchContext, entity: str) -> str | None:
    """SQL of the keys whose newest row in the lake is no tombstone, with their `updated_at`."""
    env, source = context.env, context.config.name
    rejected = verdicts.rejected(env, source)
    loads = [load for load in verdicts.landed_loads(env, source) if load not in rejected]
    rows = lake.load_rows(env, source, entity, loads)
    if rows is None:
        return None
    key, *others = ENTITIES[entity_of(entity)]
    moment = "updated_at" if "updated_at" in others else "cast(null as timestamp)"
    return (
        f"select {quote(key)} as key, max({moment}) as updated_at from {rows} group by all "
        "having not arg_max(coalesce(_is_deleted, false), (_load_id::double, coalesce("
        f"{moment}, timestamp '0001-01-01'), _row))"
    )


def _read_keys(table: Table, config: SourceConfig) -> None:
    """Every key of the table, as the mapping writes it, into `present`."""
    mapping, duck = table.mapping, table.database.duck
    key = next(iter(ENTITIES[entity_of(table.entity)]))
    with table.errors():
        found = table.read(expression_columns(mapping.columns[key]))
        target = targets(config, table.entity, mapping, table.types(), mapping.from_)[0][0]
        relation = found.relation([table.file], None)
        table.database.run(
            f"create or replace temp table present as select cast(({target.sql}) as varchar) "
            f"as key from {relation}"
        )
    rows = duck.execute("select count(*) from present").fetchone()
    if rows is None or rows[0] != found.offered[table.file]:
        raise count_mismatch(entity_table(table.entity))
