"""Raw tables and marts made of good rows, with chosen columns spoilt."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from ingestion.entities import ENTITIES, entity_table
from ingestion.sources import ga4, mailchimp, segment, shopify_tables, snowplow, square, woocommerce
from ingestion.spec import TableSpec
from khach.environment import Environment

GOOD = {
    "v": "'x' || i", "t": "timestamp '2026-01-01 08:00:00'", "d": "date '1990-05-01'",
    "i": "1::bigint", "n": "10.0::decimal(18,4)", "b": "true", "j": "'{}'",
}  # fmt: skip
GOOD_BY_NAME = {
    "email": "'person' || i || '@example.org'",
    "email_address": "'person' || i || '@example.org'",
    "phone": "'0912 000 ' || (100 + i)",
    "type": "'track'",
    "kind": "'sent'",
    "score": "5.0::decimal(18,4)",
    "_is_deleted": "null",
}


def raw_table(source_kind: str, table: str) -> TableSpec:
    """The declared columns of a raw table."""
    if source_kind == "entities":
        return entity_table(table)
    known = {
        "segment": [segment.EVENTS],
        "snowplow": [snowplow.EVENTS],
        "ga4": [ga4.EVENTS],
        "mailchimp": mailchimp.TABLES.values(),
        "woocommerce": woocommerce.TABLES.values(),
        "square": square.TABLES.values(),
        "shopify": [one.table for root in shopify_tables.ROOTS for one in root.tables],
    }[source_kind]
    return next(spec for spec in known if spec.name == table)


def select(spec: TableSpec, spoilt: Mapping[str, str], rows: int = 40) -> str:
    """A query of `rows` good rows; `spoilt` maps a column to another SQL expression of `i`."""
    expressions = [
        f"({spoilt.get(name) or GOOD_BY_NAME.get(name) or GOOD[letter]})"
        f'::{spec.duckdb_columns()[name]} as "{name}"'
        for name, letter in spec.columns.items()
    ]
    return f"select {', '.join(expressions)} from range({rows}) as numbers(i)"


def land(
    env: Environment, source: str, spec: TableSpec, load_id: str, query: str | None = None
) -> Path:
    """Write one file of a load into the lake."""
    folder = env.lake / f"raw_{source}" / spec.name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{load_id}.abc123.parquet"
    duckdb.sql(f"copy ({query or select(spec, {})}) to '{path}' (format parquet)")
    return path


DELIVERIES = TableSpec(
    "_deliveries",
    {"table_name": "v", "file": "v", "rows_offered": "i", "rows_landed": "i",
     "rows_quarantined": "i", "filtered": "i", "fingerprint": "v", "cursor": "v"},
)  # fmt: skip
ALL_ENTITIES = tuple(ENTITIES)
