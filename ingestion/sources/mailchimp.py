"""Mailchimp's Marketing API 3.0: lists, members, campaigns, and what recipients did.

| endpoint | table | read again |
|---|---|---|
| `/lists`, `/campaigns` | lists, campaigns | whole; landed when something in them changed |
| `/lists/{id}/members` | members | what changed since, a few hours overlapping |
| `/reports/{id}/...` | sent_to, email_activity, unsubscribes | campaigns whose totals moved |
| more of both | see `mailchimp_details` | what moved; `details:` names the wanted ones |
| `/ecommerce/...` | ecommerce_* | with `ecommerce: true`; whole, landed when changed |

What the next run starts from lies in the cursors of `_deliveries`, so it commits with the load.
Settings: `api_url`, `api_key`, `list_id` (NAMES of environment variables; without `list_id` every
list is read), `refresh_days`, `details`, `ecommerce` (what the account's shops told; raw only).
A backfill reads members that changed and campaigns that were sent in its days. Run alone:
`khach run --select ingest`.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from ingestion.checked import CheckedItem
from ingestion.parquet import duckdb_session
from ingestion.replay_rows import through_shapes
from ingestion.rest import Api, require_https
from ingestion.sources.mailchimp_details import DEFAULT, Detail, read_details
from ingestion.sources.mailchimp_details import TABLES as DETAILS
from ingestion.sources.mailchimp_reading import ALL_SHAPES, ALL_TABLES, PAGE_ITEMS, AccountReading
from ingestion.sources.mailchimp_shops import TABLES as SHOPS
from ingestion.sources.mailchimp_shops import read_shops
from ingestion.sources.mailchimp_tables import TABLES
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


class MailchimpConfig(VendorConfig):
    """A Mailchimp account in sources.yml."""

    kind: Literal["mailchimp"]
    api_url: EnvironmentName = "MAILCHIMP_API_URL"
    """The variable that holds the address of the account's API."""
    api_key: EnvironmentName = "MAILCHIMP_API_KEY"
    """The variable that holds the account's key."""
    list_id: EnvironmentName | None = None
    """The variable that holds the id of the one list to read; without it every list is."""
    refresh_days: Annotated[int, Field(ge=1)] = 30
    """So many days after it was sent a campaign whose totals move is read again."""
    details: tuple[Detail, ...] = DEFAULT
    """What is read besides and kept in the lake only; some cost many requests."""
    ecommerce: bool = False
    """Whether to read what shops told the account; raw only, whole in each run."""


def tables(config: MailchimpConfig) -> list[TableSpec]:
    """The raw tables; details and those of the account's shops when they are wanted."""
    details = [table for name, table in DETAILS.items() if name in config.details]
    shops = SHOPS.values() if config.ecommerce else ()
    return [*TABLES.values(), *details, *shops]


def fetch(context: FetchContext) -> Extract | None:
    """What changed since the last committed load; None when the account looks as it did."""
    api = _connect(context.env, context.config)
    config: MailchimpConfig = context.config
    wanted = frozenset(config.details)
    with duckdb_session(context.staging) as connection:
        reading = AccountReading(context, api, connection, _wanted_list(config))
        reading.lists()
        if reading.list_ids:
            feeds_to_come = "member_activity" in wanted and not reading.cursor("member_activity")
            reading.members(everyone=feeds_to_come)
            reading.campaigns()
            reading.reports()
            read_details(reading, wanted)
        if config.ecommerce and not reading.days:
            read_shops(reading)
        return reading.extract()


def check(env: Environment, config: MailchimpConfig) -> list[CheckedItem]:
    """The lists that the key opens."""
    params: dict[str, str | int] = {"count": PAGE_ITEMS, "fields": "lists.id,lists.name"}
    body = json.loads(_connect(env, config).get("lists", params))
    wanted = _wanted_list(config)
    names = {entry["id"]: entry["name"] for entry in body["lists"]}
    if wanted and wanted not in names:
        problem = f"the account has no list with the id in {config.list_id}"
        return [CheckedItem(config.name, "lists", f"{len(names)} lists", problem)]
    return [
        CheckedItem(config.name, f"list {list_id}", name)
        for list_id, name in names.items()
        if wanted in (None, list_id)
    ]


def _wanted_list(config: MailchimpConfig) -> str | None:
    return secret(config.list_id, source=config.name) if config.list_id else None


def _connect(env: Environment, config: MailchimpConfig) -> Api:
    """The account's API; in prod its address may be left out, because the key ends in it."""
    key = secret(config.api_key, source=config.name)
    url = os.environ.get(config.api_url)
    centre = re.search(r"-([a-z]+[0-9]+)$", key)
    if not url and env.name == "prod" and centre:
        url = f"https://{centre[1]}.api.mailchimp.com/3.0"
    url = url or secret(config.api_url, source=config.name)
    require_https(url, config.api_url, source=config.name)
    return Api(config.name, url, config.api_key, key)


SPEC = SourceSpec(
    "mailchimp",
    MailchimpConfig,
    tables,
    fetch,
    check,
    through_shapes(ALL_TABLES, ALL_SHAPES),
    can_backfill=True,
)
