"""Square's API: locations, orders with lines and returns, payments, refunds, customers, catalogue.

| endpoint | table | read again |
|---|---|---|
| `/orders/search`, `/payments`, `/refunds` | orders, payments, refunds | what was updated since |
| `/customers/search`, `/customers` | customers | what was updated since; all, each `compare_days` |
| `/locations`, `/catalog/list`, `/loyalty/accounts/search` | locations, catalog, loyalty_accounts | whole; landed when something changed |

Reads overlap by some hours, by the vendor's clock. A cancelled order says so itself; customers and
catalogue objects that are gone from a whole list become tombstones. Settings: `url`, `token` (NAMES
of environment variables), `version` (Square-Version), `loyalty`, `compare_days`.
"""  # noqa: E501 - a table's row

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ingestion.checked import CheckedItem
from ingestion.parquet import duckdb_session
from ingestion.replay_rows import through_shapes
from ingestion.rest import Api, require_https
from ingestion.sources.square_reading import AccountReading
from ingestion.sources.square_tables import SHAPES, TABLES
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

PRODUCTION = "https://connect.squareup.com"


class SquareConfig(VendorConfig):
    """A Square account in sources.yml."""

    kind: Literal["square"]
    url: EnvironmentName = "SQUARE_URL"
    """The variable that holds the address of the API."""
    token: EnvironmentName = "SQUARE_ACCESS_TOKEN"  # noqa: S105 - the variable's name
    """The variable that holds the access token."""
    version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2025-08-20"])] = (
        "2025-08-20"
    )
    """The API's version that is asked for (Square-Version)."""
    loyalty: bool = False
    """Whether to read the accounts of the loyalty programme."""
    compare_days: Annotated[int, Field(ge=1)] = 7
    """Every so many days all customers are read, to notice what was deleted."""


def tables(_config: SquareConfig) -> list[TableSpec]:
    """The raw tables, the same for every account."""
    return list(TABLES.values())


def fetch(context: FetchContext) -> Extract | None:
    """What changed since the last committed load; None when the account looks as it did."""
    api = _connect(context.env, context.config)
    with duckdb_session(context.staging) as connection:
        reading = AccountReading(context, api, connection)
        reading.locations()
        reading.orders()
        for table in ("payments", "refunds"):
            reading.money(table)
        reading.customers()
        if not reading.days:  # neither can be asked for by date
            reading.catalog()
            if context.config.loyalty:
                reading.loyalty_accounts()
        return reading.extract()


def check(env: Environment, config: SquareConfig) -> list[CheckedItem]:
    """The locations that the token opens."""
    answer = json.loads(_connect(env, config).send("GET", "v2/locations").body)
    return [
        CheckedItem(config.name, f"location {one['id']}", str(one.get("name")))
        for one in answer.get("locations", [])
    ]


def _connect(env: Environment, config: SquareConfig) -> Api:
    """The account's API; in prod its address is known."""
    url = os.environ.get(config.url)
    if not url:
        url = PRODUCTION if env.name == "prod" else secret(config.url, source=config.name)
    require_https(url, config.url, source=config.name)
    token = secret(config.token, source=config.name)
    headers = {"Square-Version": config.version}
    return Api(config.name, url, config.token, token, user=None, headers=headers)


SPEC = SourceSpec(
    "square",
    SquareConfig,
    tables,
    fetch,
    check,
    through_shapes(TABLES, SHAPES),
    can_backfill=True,
)
