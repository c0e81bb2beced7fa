"""The schema contract (`ingestion.contract`) of a vendor's tables, whose fields nobody maps.

A field that a connector does not read lands in `_extra` and is reported when it is new. Where most
values of a field that it does read have another type than before, the table stops until the vendor
takes it back or `accept` in sources.yml names the new type (adr/0009).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ingestion.contract import JsonColumn, Stopped, judge
from ingestion.parquet import literal
from ingestion.spec import SourceConfig

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from ingestion.spec import FetchContext, TableSpec

MOST_FIELDS = 200  # a producer that makes up its fields is not followed for ever
SAMPLED_ROWS = 200  # of the pages that come first
JsonType = Literal["TEXT", "NUMBER", "BOOLEAN", "OBJECT", "ARRAY"]


class VendorConfig(SourceConfig):
    """A source whose tables are a vendor's own; `accept`: table to fields and their new types."""

    accept: Annotated[dict[str, dict[str, JsonType]], Field(default_factory=dict)]
    """Table to field to its new type, after a changed type has stopped the table."""

    def accepting(self, table: str) -> tuple[tuple[str, ...], str]:
        """A vendor's new type is accepted by name."""
        return ("accept", table), (
            "ask the vendor, or accept what is delivered now: "
            f"accept: {{{table}: {{<column>: <new type>}}}} in sources.yml"
        )

    def check(self) -> None:
        """ConfigError for a table that the kind does not have."""
        from ingestion.registry import source_spec

        names = [table.name for table in source_spec(self.kind).tables(self)]
        for table in self.accept:
            if table not in names:
                raise self.problem(
                    f"kind {self.kind} has no table {table!r}; there are {', '.join(names)}",
                    *("accept", table),
                )


def hold(
    context: FetchContext,
    table: TableSpec,
    sampled: Mapping[str, JsonColumn],
    *,
    read: Iterable[str],
    found: Iterable[str] = (),
) -> tuple[str, Stopped | None]:
    """What the contract keeps of a delivery (`Delivery.columns`), and what stops the table.

    `sampled`: the fields of a sample of its rows; `read`: those that the connector reads; `found`:
    further fields that it met.
    """
    types: dict[str, str | None] = dict.fromkeys(found)
    types |= {name: one.type for name, one in sampled.items()}
    accepted = context.config.accept.get(table.name, {})
    columns, flip = judge(
        table.name,
        context.seen.contracts.get(table.name),
        _version(table),
        types,
        [name for name in read if name not in accepted or accepted[name] != types.get(name)],
        fold=str,
    )
    if flip is not None:
        flip = replace(flip, values=sampled[flip.column].values)
    return columns, flip


def extra_fields(connection: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """The fields that stand in `_extra` of a landed table, the commonest ones."""
    names = f"select unnest(json_keys(_extra)) as name from read_parquet({literal(file)})"
    rows = connection.execute(
        f"select name from ({names}) group by name order by count(*) desc, name limit {MOST_FIELDS}"
    ).fetchall()
    return [name for (name,) in rows]


def _version(table: TableSpec) -> str:
    """A release that reads a table otherwise begins its contract anew."""
    return hashlib.sha256(json.dumps(dict(table.columns)).encode()).hexdigest()[:16]
