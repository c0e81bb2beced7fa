"""The schema contract (`ingestion.contract`) of a table that is delivered in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ingestion.contract import TableStoppedError, judge, mapping_digest, sample_json
from ingestion.parquet import quote
from ingestion.readers import columns_without_values, format_of
from khach.redact import shape

if TYPE_CHECKING:
    import duckdb

    from ingestion.delivered import LocalFile
    from ingestion.mapping import TableMapping
    from ingestion.readers import Reading
    from ingestion.spec import FetchContext


def hold(
    context: FetchContext,
    connection: duckdb.DuckDBPyConnection,
    entity: str,
    reading: Reading,
    files: Sequence[LocalFile],
) -> str:
    """What the contract keeps of these files (`Delivery.columns`).

    Raises TableStoppedError when a column that the mapping reads has another type than before.
    """
    mapping: TableMapping = context.config.tables[entity]
    sampled = {}
    # CSV and xlsx are all text.
    delivered = [name for name in reading.columns if name not in reading.absent]
    types: dict[str, str | None] = dict.fromkeys(delivered)
    if reading.original == "line":
        sampled = sample_json([file.path for file in files])
        types |= {name: one.type for name, one in sampled.items()}
    elif format_of(files[0].name) == "parquet":
        empty = columns_without_values(connection, files)
        types = {name: None if name in empty else t for name, t in reading.columns.items()}
    columns, flip = judge(
        entity,
        context.seen.contracts.get(entity),
        mapping_digest(mapping),
        types,
        mapping.source_columns(),
    )
    if flip is None:
        return columns
    values = {name.lower(): one.values for name, one in sampled.items()}.get(flip.column)
    if values is None:
        relation, column = reading.relation(list(reading.offered), None), quote(flip.column)
        row = connection.execute(
            f"select cast({column} as varchar) from {relation} where {column} is not null limit 1"
        ).fetchone()
        values = shape(row[0]) if row else None
    raise TableStoppedError(replace(flip, values=values))
