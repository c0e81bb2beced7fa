"""Mailchimp's Marketing API 3.0: lists, members, campaigns, and what recipients did.

| endpoint | table | read again |
|---|---|---|
| `/lists`, `/campaigns` | lists, campaigns | whole; landed when something in them changed |
| `/lists/{id}/members` | members | what changed since, a few hours overlapping |
| `/ecommerce/...` | ecommerce_* | with `ecommerce: true`; whole, landed when changed |
| `/reports/{id}/...` | sent_to, email_activity, unsubscribes | campaigns whose totals moved |

What the next run starts from lies in the cursors of `_deliveries`, so it commits with the load.
Settings: `api_url`, `api_key`, `list_id` (NAMES of environment variables; without `list_id` every
list is read), `refresh_days`, `ecommerce` (what the account's shops told; read whole each time).
A backfill reads members that changed and campaigns that were sent in its days. Run alone:
`khach run --select ingest`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from ingestion.paging import by_offset
from ingestion.parquet import duckdb_session, literal
from ingestion.reading import OVERLAP, Reading
from ingestion.replay_rows import through_shapes
from ingestion.rest import Api
from ingestion.sources.mailchimp_tables import ECOMMERCE, REPORT_FIELDS, REPORTS, SHAPES, TABLES
from ingestion.spec import (
    CheckedItem,
    EnvironmentName,
    Extract,
    FetchContext,
    SourceSpec,
    TableSpec,
    secret,
)
from ingestion.vendor_contract import VendorConfig
from khach.clock import now

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from ingestion.pages import TableReader
    from khach.environment import Environment

PAGE_ITEMS = 1000  # the API's maximum
_ALL_TABLES = TABLES | {name: table for name, (table, _) in ECOMMERCE.items()}
_ALL_SHAPES = SHAPES | {name: shape for name, (_, shape) in ECOMMERCE.items()}


class MailchimpConfig(VendorConfig):
    """A Mailchimp account in sources.yml."""

    kind: Literal["mailchimp"]
    api_url: EnvironmentName = "MAILCHIMP_API_URL"
    api_key: EnvironmentName = "MAILCHIMP_API_KEY"
    list_id: EnvironmentName | None = None
    refresh_days: Annotated[int, Field(ge=1)] = 30
    ecommerce: bool = False


def tables(config: MailchimpConfig) -> list[TableSpec]:
    """The raw tables; those of the account's shops when they are wanted."""
    shops = [table for table, _ in ECOMMERCE.values()] if config.ecommerce else []
    return [*TABLES.values(), *shops]


def fetch(context: FetchContext) -> Extract | None:
    """What changed since the last committed load; None when the account looks as it did."""
    api = _connect(context.env, context.config)
    with duckdb_session(context.staging) as connection:
        reading = _Reading(context, api, connection)
        reading.lists()
        reading.members()
        reading.campaigns()
        reading.reports()
        reading.ecommerce()
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


class _Reading(Reading):
    """One fetch: what was read, what of it is new, and where the next run starts."""

    def __init__(
        self, context: FetchContext, api: Api, connection: duckdb.DuckDBPyConnection
    ) -> None:
        super().__init__(context, connection, _ALL_TABLES, _ALL_SHAPES)
        self._config: MailchimpConfig = context.config
        self._api = api
        self._list_ids: list[str] = []

    def lists(self) -> None:
        """The account's lists, all of them; only the wanted ones are followed further."""
        reader = self.reader("lists")
        self._read(reader, "lists")
        file = reader.close()
        wanted = _wanted_list(self._config)
        found = self.connection.execute(f"select list_id from ({_rows(file)})").fetchall()
        self._list_ids = sorted(row[0] for row in found if wanted in (None, row[0]))
        if wanted and not self._list_ids:
            raise self._config.problem("the account has no list with this id", "list_id")
        self.keep_when_changed(reader, file)

    def campaigns(self) -> None:
        """Every campaign, sent or not."""
        reader = self.reader("campaigns")
        for list_id in self._list_ids:
            self._read(reader, "campaigns", {"list_id": list_id})
        if self._list_ids:
            self.keep_when_changed(reader, reader.close())

    def members(self) -> None:
        """Members that changed since the last load, the overlap recognised by its content."""
        seen = self.cursor("members")
        reader = self.reader("members")
        for list_id in self._list_ids:
            since = seen.get(list_id, {}).get("since")
            params = {"since_last_changed": since} if since else {}
            if bounds := self._bounds():
                first, after = (end.isoformat() for end in bounds)
                params = {"since_last_changed": first, "before_last_changed": after}
            self._read(reader, f"lists/{list_id}/members", params)
        if not self._list_ids:
            return
        file = reader.close()
        if self.days:
            self.keep(reader, file, {})
            return
        marks = {one: self._members_mark(file, one, seen.get(one, {})) for one in self._list_ids}
        if any(mark != seen.get(list_id) for list_id, mark in marks.items()):
            self.keep(reader, file, seen | marks)

    def _members_mark(self, file: Path, list_id: str, seen: dict[str, str]) -> dict[str, str]:
        """Where the next run starts, and the digest of what it will see again from there.

        The same as `seen` when this run saw exactly what was to be seen again.
        """
        rows = f"{_rows(file)} where list_id = {literal(list_id)}"
        if self.digest("members", rows) == seen.get("digest"):
            return seen
        newest = self.connection.execute(f"select max(last_changed) from ({rows})").fetchone()
        if newest is None or newest[0] is None:
            return {}
        since = newest[0] - OVERLAP
        again = f"{rows} and last_changed > timestamp {literal(str(since))}"
        return {"since": f"{since.isoformat()}+00:00", "digest": self.digest("members", again)}

    def reports(self) -> None:
        """Recipients, activity and unsubscribes of the campaigns whose totals moved."""
        totals = self._totals()
        oldest = now(self.context.env) - timedelta(days=self._config.refresh_days)
        for table, path, names in REPORTS:
            reader = self.reader(table)
            cursor = self.cursor(table)
            due = {
                campaign: mark
                for campaign, report in totals.items()
                if (mark := "|".join(str(report.get(name)) for name in names))
                != cursor.get(campaign)
                and (campaign not in cursor or report["send_time"] >= oldest)
            }
            if bounds := self._bounds():
                first, after = bounds
                sent = {c: report["send_time"] for c, report in totals.items()}
                due = {campaign: "" for campaign, at in sent.items() if first < at < after}
            for campaign in due:
                self._read(reader, f"reports/{campaign}/{path}")
            if due:
                self.keep(reader, reader.close(), cursor | due)

    def ecommerce(self) -> None:
        """What the account's shops told; the API cannot be asked for what changed only."""
        if not self._config.ecommerce or self.days:
            return
        stores = self._shop_table("stores", ["ecommerce/stores"])
        found = self.connection.execute(f"select store_id from ({_rows(stores)})").fetchall()
        self._shop_table("orders", ["ecommerce/orders"])
        for name in ("carts", "customers"):
            if found:
                self._shop_table(name, [f"ecommerce/stores/{one}/{name}" for (one,) in found])

    def _shop_table(self, name: str, paths: list[str]) -> Path:
        reader = self.reader(f"ecommerce_{name}")
        for path in paths:
            self._read(reader, path)
        file = reader.close()
        self.keep_when_changed(reader, file)
        return file

    def _totals(self) -> dict[str, dict[str, Any]]:
        """Campaign id to its report's totals: a few numbers for each campaign ever sent."""
        fields = "total_items," + ",".join(f"reports.{name}" for name in REPORT_FIELDS)
        totals: dict[str, dict[str, Any]] = {}
        offset, total = 0, 1
        while offset < total:
            params: dict[str, str | int] = {"count": PAGE_ITEMS, "offset": offset, "fields": fields}
            page = json.loads(self._api.get("reports", params))
            for report in page["reports"]:
                if report["list_id"] in self._list_ids:
                    totals[report["id"]] = _flat(report)
            total, offset = page["total_items"], offset + PAGE_ITEMS
        return totals

    def _bounds(self) -> tuple[datetime, datetime] | None:
        """The days of a backfill as the API wants them: its bounds are exclusive."""
        if self.days is None:
            return None
        first, after = (end.replace(tzinfo=UTC) for end in self.days)
        return first - timedelta(seconds=1), after

    def _read(
        self, reader: TableReader, path: str, params: Mapping[str, str] | None = None
    ) -> None:
        links = f"_links,{self._shapes[reader.table.name].name}._links"
        given = {**(params or {}), "exclude_fields": links}
        by_offset(reader, self._api, path, given, PAGE_ITEMS)


def _rows(file: Path) -> str:
    return f"select * from read_parquet({literal(file)})"


def _flat(report: dict[str, Any]) -> dict[str, Any]:
    """A report's totals under their own names; the vendor leaves out what never happened."""
    flat = {name: report.get(name) for name in ("emails_sent", "unsubscribed")}
    for part in ("bounces", "opens", "clicks"):
        flat |= report.get(part) or {}
    # A report without a time of sending is of a campaign still going out: always young.
    sent = report.get("send_time") or datetime.max.replace(tzinfo=UTC).isoformat()
    return flat | {"send_time": datetime.fromisoformat(sent)}


def _wanted_list(config: MailchimpConfig) -> str | None:
    return secret(config.list_id, source=config.name) if config.list_id else None


def _connect(env: Environment, config: MailchimpConfig) -> Api:
    """The account's API; in prod its address may be left out, because the key ends in it."""
    key = secret(config.api_key, source=config.name)
    url = os.environ.get(config.api_url)
    centre = re.search(r"-([a-z]+[0-9]+)$", key)
    if not url and env.name == "prod" and centre:
        url = f"https://{centre[1]}.api.mailchimp.com/3.0"
    return Api(config.name, url or secret(config.api_url, source=config.name), config.api_key, key)


SPEC = SourceSpec(
    "mailchimp",
    MailchimpConfig,
    tables,
    fetch,
    check,
    through_shapes(_ALL_TABLES, _ALL_SHAPES),
    can_backfill=True,
)
