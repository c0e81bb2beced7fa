"""A Shopify shop through the Admin GraphQL API 2026-07: web orders and orders at the shop's tills.

| root | tables | read |
|---|---|---|
| orders | shop_orders, line_items, order_transactions, shop_refunds | history by a bulk operation, then pages of what was updated since |
| customers | customers | the same |
| products | product_variants | the same |
| locations | locations | whole, a page; landed when something moved |

Every `compare_days` a bulk operation lists all keys, and keys that are gone land as tombstones.
Where the next run starts lies in the cursors of `_deliveries`, so it commits with the load.
A backfill reads orders and products that were made in its days and customers that changed in them.
Settings: `shop_url`, `access_token` (NAMES of environment variables), `api_version`,
`compare_days`, `most_deleted`. Run alone: `khach run --select ingest`.
"""  # noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ingestion.checked import CheckedItem
from ingestion.parquet import duckdb_session
from ingestion.replay_rows import through_queries
from ingestion.rest import require_https
from ingestion.sources.shopify_api import ShopApi
from ingestion.sources.shopify_queries import SHOP
from ingestion.sources.shopify_reading import Reading
from ingestion.sources.shopify_sql import replay_query
from ingestion.sources.shopify_tables import ROOTS
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


class ShopifyConfig(VendorConfig):
    """A Shopify shop in sources.yml."""

    kind: Literal["shopify"]
    shop_url: EnvironmentName = "SHOPIFY_SHOP_URL"
    """The variable that holds the shop's address."""
    access_token: EnvironmentName = "SHOPIFY_ACCESS_TOKEN"  # noqa: S105  (the variable's NAME)
    """The variable that holds the app's access token."""
    api_version: Annotated[
        str, Field(pattern=r"^20[0-9]{2}-(01|04|07|10)$", examples=["2026-07"])
    ] = "2026-07"
    """The version of the Admin API that is asked for, a quarter."""
    compare_days: Annotated[int, Field(ge=1)] = 7
    """Every so many days all keys are compared, to notice what was deleted."""
    most_deleted: Annotated[float, Field(gt=0, le=1)] = 0.1
    """A greater share of keys gone at once is taken for a token that lost a scope."""


def tables(_config: ShopifyConfig) -> list[TableSpec]:
    """The raw tables, the same for every shop."""
    return [table.table for root in ROOTS for table in root.tables]


def fetch(context: FetchContext) -> Extract | None:
    """What changed since the last committed load; None when the shop looks as it did."""
    api = _connect(context.config)
    with duckdb_session(context.staging) as connection:
        reading = Reading(context, api, connection)
        for root in ROOTS:
            if context.backfill:
                reading.again(root, context.backfill)
            else:
                reading.read(root)
        return reading.extract()


def check(_env: Environment, config: ShopifyConfig) -> list[CheckedItem]:
    """The shop that the token opens, and whether its currency is the declared one."""
    shop = _connect(config).data(SHOP)["shop"]
    problem = None
    if config.currency and shop["currencyCode"] != config.currency:
        problem = f"sources.yml says {config.currency}"
    found = f"{shop['currencyCode']}, {shop['ianaTimezone']}"
    return [CheckedItem(config.name, f"shop {shop['name']}", found, problem)]


def _connect(config: ShopifyConfig) -> ShopApi:
    url = secret(config.shop_url, source=config.name).rstrip("/")
    if "://" not in url:
        url = f"https://{url}"
    require_https(url, config.shop_url, source=config.name)
    token = secret(config.access_token, source=config.name)
    address = f"{url}/admin/api/{config.api_version}/graphql.json"
    return ShopApi(config.name, address, config.access_token, token)


SPEC = SourceSpec(
    "shopify", ShopifyConfig, tables, fetch, check, through_queries(replay_query), can_backfill=True
)
