"""WooCommerce's REST API wc/v3: orders with their lines, refunds, customers, products.

| endpoint | table | read again |
|---|---|---|
| `/orders`, `/products` | orders, products | what was modified since, a few hours overlapping |
| `/orders/{id}/refunds` | order_refunds | orders that name a refund we do not hold |
| `/customers` | customers | whole, for the API has no filter; landed when something changed |

The API does not tell what was deleted: every `compare_days` all ids are listed and compared with
those we hold. What is gone (the bin counts) becomes a tombstone, what we missed is read. Settings:
`url`, `consumer_key`, `consumer_secret` (NAMES of environment variables), `compare_days`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from ingestion.checked import CheckedItem
from ingestion.parquet import duckdb_session
from ingestion.replay_rows import through_shapes
from ingestion.rest import Api, require_https
from ingestion.sources.woocommerce_reading import EVERYTHING, ShopReading
from ingestion.sources.woocommerce_tables import SHAPES, TABLES
from ingestion.spec import (
    EnvironmentName,
    Extract,
    FetchContext,
    SourceSpec,
    TableSpec,
    secret,
)
from ingestion.vendor_contract import VendorConfig

if TYPE_CHECKING:
    from khach.environment import Environment


class WooCommerceConfig(VendorConfig):
    """A WooCommerce shop in sources.yml."""

    kind: Literal["woocommerce"]
    url: EnvironmentName = "WOOCOMMERCE_URL"
    """The variable that holds the shop's address."""
    consumer_key: EnvironmentName = "WOOCOMMERCE_KEY"
    """The variable that holds the consumer key of the REST API."""
    consumer_secret: EnvironmentName = "WOOCOMMERCE_SECRET"  # noqa: S105 - the variable's name
    """The variable that holds the consumer secret of the REST API."""
    compare_days: Annotated[int, Field(ge=1)] = 7
    """Every so many days all keys are compared, to notice what was deleted."""


def tables(_config: WooCommerceConfig) -> list[TableSpec]:
    """The raw tables, the same for every shop."""
    return list(TABLES.values())


def fetch(context: FetchContext) -> Extract | None:
    """What changed since the last committed load; None when the shop looks as it did."""
    api = _connect(context.config)
    with duckdb_session(context.staging) as connection:
        reading = ShopReading(context, api, connection)
        for table in ("orders", "products"):
            reading.changed(table)
        reading.refunds()
        if not reading.days:  # customers cannot be asked for by date
            reading.customers()
        return reading.extract()


def check(_env: Environment, config: WooCommerceConfig) -> list[CheckedItem]:
    """How many orders, products and customers the key shows."""
    api = _connect(config)
    items = []
    for table, everything in EVERYTHING.items():
        answer = api.send("GET", table, params={**everything, "per_page": 1})
        total = answer.headers.get("X-WP-Total")
        problem = None if total else "the answer has no header X-WP-Total"
        items.append(CheckedItem(config.name, table, f"{total or '?'} {table}", problem))
    return items


def _connect(config: WooCommerceConfig) -> Api:
    """The shop's API; its key and secret never cross the network in clear."""
    url = secret(config.url, source=config.name).rstrip("/")
    require_https(url, config.url, source=config.name)
    if not urlsplit(url).path.rstrip("/").endswith("/wc/v3"):
        url += "/wp-json/wc/v3"
    return Api(
        config.name,
        url,
        config.consumer_secret,
        secret(config.consumer_secret, source=config.name),
        user=secret(config.consumer_key, source=config.name),
    )


SPEC = SourceSpec(
    "woocommerce",
    WooCommerceConfig,
    tables,
    fetch,
    check,
    through_shapes(TABLES, SHAPES),
    can_backfill=True,
)
