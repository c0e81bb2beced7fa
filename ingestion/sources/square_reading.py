"""One fetch of a Square account: what was updated since, what is listed whole, and what is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from ingestion.paging import by_cursor
from ingestion.parquet import literal
from ingestion.reading import Reading
from ingestion.sources.square_tables import SHAPES, TABLES
from khach.clock import now

if TYPE_CHECKING:
    import duckdb

    from ingestion.pages import TableReader
    from ingestion.rest import Answer, Api
    from ingestion.spec import FetchContext

ORDERS_PER_PAGE, PER_PAGE, LOYALTY_PER_PAGE = 1000, 100, 200  # the API's maxima
LOCATIONS_PER_SEARCH = 10
# Without a beginning the API shows one year.
BEGINNING = "2009-01-01T00:00:00Z"


class AccountReading(Reading):
    """One fetch of an account."""

    def __init__(
        self, context: FetchContext, api: Api, connection: duckdb.DuckDBPyConnection
    ) -> None:
        super().__init__(context, connection, TABLES, SHAPES)
        self._api = api
        self._compare_every = timedelta(days=context.config.compare_days)
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
        compared = datetime.fromisoformat(cursor.get("compared", "1970-01-01"))
        if self.days or clock < compared + self._compare_every:
            since, until = self._range("customers")
            bounds = {"start_at": since} | ({"end_at": until} if until else {})
            search = {"limit": PER_PAGE, "query": {"filter": {"updated_at": bounds}}}
            path, label = "v2/customers/search", f"since={since}&"
            first = by_cursor(reader, self._api, "POST", path, search, label=label)
            self._keep_updated(reader, [first], compared=cursor.get("compared"))
            return
        first = by_cursor(reader, self._api, "GET", "v2/customers", {"limit": PER_PAGE})
        self._keep_updated(reader, [first], compared=clock.isoformat())
        self._bury(reader, self.clock(first))

    def catalog(self) -> None:
        """Items and categories, all of them."""
        self._whole("catalog", "GET", "v2/catalog/list", {"types": "ITEM,CATEGORY"})

    def loyalty_accounts(self) -> None:
        """The accounts of the loyalty programme, all of them."""
        search = {"limit": LOYALTY_PER_PAGE}
        self._whole("loyalty_accounts", "POST", "v2/loyalty/accounts/search", search)

    def _whole(
        self, table: str, method: Literal["GET", "POST"], path: str, request: dict[str, Any]
    ) -> None:
        """A table without a filter: all of it, and what is gone from it."""
        reader = self.reader(table)
        first = by_cursor(reader, self._api, method, path, request)
        self.keep_when_changed(reader, reader.close())
        self._bury(reader, self.clock(first))

    def _keep_updated(
        self, reader: TableReader, answers: list[Answer], compared: str | None = None
    ) -> None:
        if not answers:
            return  # an account without locations
        table = reader.table.name
        file = reader.close()
        mark = self.mark(table, file, "updated_at", min(self.clock(one) for one in answers))
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
