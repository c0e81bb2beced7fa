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
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from ingestion.paging import by_cursor
from ingestion.parquet import duckdb_session, literal
from ingestion.reading import Reading
from ingestion.replay_rows import through_shapes
from ingestion.rest import Answer, Api
from ingestion.sources.square_tables import SHAPES, TABLES
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
from khach.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

    from ingestion.pages import TableReader
    from khach.environment import Environment

PRODUCTION = "https://connect.squareup.com"
ORDERS_PER_PAGE, PER_PAGE, LOYALTY_PER_PAGE = 1000, 100, 200  # the API's maxima
LOCATIONS_PER_SEARCH = 10
# Without a beginning the API shows one year.
BEGINNING = "2009-01-01T00:00:00Z"


class SquareConfig(VendorConfig):
    """A Square account in sources.yml."""

    kind: Literal["square"]
    url: EnvironmentName = "SQUARE_URL"
    token: EnvironmentName = "SQUARE_ACCESS_TOKEN"  # noqa: S105 - the variable's name
    version: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] = "2025-08-20"
    loyalty: bool = False
    compare_days: Annotated[int, Field(ge=1)] = 7


def tables(_config: SquareConfig) -> list[TableSpec]:
    """The raw tables, the same for every account."""
    return list(TABLES.values())


def fetch(context: FetchContext) -> Extract | None:
    """What changed since the last committed load; None when the account looks as it did."""
    api = _connect(context.env, context.config)
    with duckdb_session(context.staging) as connection:
        reading = _Reading(context, api, connection)
        reading.locations()
        reading.orders()
        for table in ("payments", "refunds"):
            reading.money(table)
        reading.customers()
        if not reading.days:  # neither can be asked for by date
            reading.whole("catalog", "GET", "v2/catalog/list", {"types": "ITEM,CATEGORY"})
            if context.config.loyalty:
                search = {"limit": LOYALTY_PER_PAGE}
                reading.whole("loyalty_accounts", "POST", "v2/loyalty/accounts/search", search)
        return reading.extract()


def check(env: Environment, config: SquareConfig) -> list[CheckedItem]:
    """The locations that the token opens."""
    answer = json.loads(_connect(env, config).send("GET", "v2/locations").body)
    return [
        CheckedItem(config.name, f"location {one['id']}", str(one.get("name")))
        for one in answer.get("locations", [])
    ]


class _Reading(Reading):
    """One fetch of an account."""

    def __init__(
        self, context: FetchContext, api: Api, connection: duckdb.DuckDBPyConnection
    ) -> None:
        super().__init__(context, connection, TABLES, SHAPES)
        self._api = api
        self._config: SquareConfig = context.config
        self._location_ids: list[str] = []

    def locations(self) -> None:
        """The account's locations; everything else is asked for by them."""
        reader = self.reader("locations")
        by_cursor(reader, self._api, "GET", "v2/locations", {})
        file = reader.close()
        ids = f"select id from read_parquet({literal(file)}) order by id"
        self._location_ids = [row[0] for row in self.connection.execute(ids).fetchall()]
        if not self.days:
            self.keep_when_changed(reader, file)

    def orders(self) -> None:
        """Orders of all locations that were updated since."""
        reader, answers = self.reader("orders"), []
        since, until = self._range("orders")
        for start in range(0, len(self._location_ids), LOCATIONS_PER_SEARCH):
            locations = self._location_ids[start : start + LOCATIONS_PER_SEARCH]
            bounds = {"start_at": since} | ({"end_at": until} if until else {})
            search = {
                "location_ids": locations,
                "limit": ORDERS_PER_PAGE,
                "query": {
                    "filter": {"date_time_filter": {"updated_at": bounds}},
                    "sort": {"sort_field": "UPDATED_AT", "sort_order": "ASC"},
                },
            }
            label = f"since={since}&locations={start + 1}&"
            answers.append(
                by_cursor(reader, self._api, "POST", "v2/orders/search", search, label=label)
            )
        self._keep_updated(reader, answers)

    def money(self, table: str) -> None:
        """Payments or refunds that were updated since, location by location."""
        reader, answers = self.reader(table), []
        since, until = self._range(table)
        for location in self._location_ids:
            params = {
                "location_id": location, "begin_time": BEGINNING, "updated_at_begin_time": since,
                "sort_field": "UPDATED_AT", "sort_order": "ASC", "limit": PER_PAGE,
            }  # fmt: skip
            if until:
                params["updated_at_end_time"] = until
            label = f"since={since}&location={location}&"
            answers.append(by_cursor(reader, self._api, "GET", f"v2/{table}", params, label=label))
        self._keep_updated(reader, answers)

    def customers(self) -> None:
        """Customers that were updated since; when it is time all, and who is gone."""
        cursor = self.cursor("customers")
        reader = self.reader("customers")
        clock = now(self.context.env).astimezone(UTC).replace(tzinfo=None)
        due = datetime.fromisoformat(cursor.get("compared", "1970-01-01")) + timedelta(
            days=self._config.compare_days
        )
        if self.days or clock < due:
            since, until = self._range("customers")
            bounds = {"start_at": since} | ({"end_at": until} if until else {})
            search = {"limit": PER_PAGE, "query": {"filter": {"updated_at": bounds}}}
            path, label = "v2/customers/search", f"since={since}&"
            first = by_cursor(reader, self._api, "POST", path, search, label=label)
            self._keep_updated(reader, [first], compared=cursor.get("compared"))
            return
        first = by_cursor(reader, self._api, "GET", "v2/customers", {"limit": PER_PAGE})
        self._keep_updated(reader, [first], compared=clock.isoformat())
        self._bury(reader, self._clock(first))

    def whole(
        self, table: str, method: Literal["GET", "POST"], path: str, request: dict[str, Any]
    ) -> None:
        """A table without a filter: all of it, and what is gone from it."""
        reader = self.reader(table)
        first = by_cursor(reader, self._api, method, path, request)
        self.keep_when_changed(reader, reader.close())
        self._bury(reader, self._clock(first))

    def _keep_updated(
        self, reader: TableReader, answers: list[Answer], compared: str | None = None
    ) -> None:
        if not answers:
            return  # an account without locations
        table = reader.table.name
        file = reader.close()
        mark = self.mark(table, file, "updated_at", min(self._clock(one) for one in answers))
        cursor = mark | ({"compared": compared} if compared else {})
        if self.days or cursor != self.cursor(table):
            self.keep(reader, file, cursor)

    def _bury(self, reader: TableReader, at: datetime) -> None:
        """Tombstones for the keys that we hold and a whole list no longer has."""
        table = reader.table.name
        listed = self.context.staging / f"{table}.parquet"
        gone = (
            f"select id from ({self.held(table)}) where _is_deleted = false and id not in "
            f"(select id from read_parquet({literal(listed)}))"
        )
        count = self.connection.execute(f"select count(*) from ({gone})").fetchone()
        if count and count[0]:
            query = (
                f"select id, timestamp {literal(str(at))} as updated_at, true as _is_deleted "
                f"from ({gone})"
            )
            self.add_rows(table, f"{table}?deleted", query, self.last_cursor(table))

    def _range(self, table: str) -> tuple[str, str | None]:
        """From when on, and in a backfill until when."""
        if self.days:
            first, after = self.days
            return f"{first.isoformat()}Z", f"{after.isoformat()}Z"
        since = self.cursor(table).get("since")
        return (f"{since}Z" if since else BEGINNING), None

    def _clock(self, answer: Answer) -> datetime:
        """Square's time; ours where it tells none."""
        return answer.sent_at or now(self.context.env).astimezone(UTC).replace(tzinfo=None)


def _connect(env: Environment, config: SquareConfig) -> Api:
    """The account's API; in prod its address is known."""
    url = os.environ.get(config.url)
    if not url:
        url = PRODUCTION if env.name == "prod" else secret(config.url, source=config.name)
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ConfigError(
            f"source {config.name}: {config.url} is not an https:// address, so the token would be "
            "readable on its way",
            fix=f"export {config.url}={PRODUCTION}",
        )
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
