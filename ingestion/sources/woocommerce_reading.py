"""One fetch of a WooCommerce shop: what changed, what was missed, and what is gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingestion.paging import by_page
from ingestion.parquet import literal
from ingestion.reading import Reading
from ingestion.rest import Answer, Api, NotFoundError
from ingestion.sources.woocommerce_tables import SHAPES, TABLES

if TYPE_CHECKING:
    import duckdb

    from ingestion.pages import TableReader
    from ingestion.spec import FetchContext

PER_PAGE = 100  # the API's maximum
# Rows that appear while we read come last, and nothing that we have not read moves forward.
STABLE: dict[str, str | int] = {"orderby": "id", "order": "asc"}
# What the collections show: without it customers are shown without the shop's own staff.
EVERYTHING: dict[str, dict[str, str | int]] = {
    "orders": {"status": "any"},
    "products": {"status": "any"},
    "customers": {"role": "all"},
}


class ShopReading(Reading):
    """One fetch of a shop."""

    def __init__(
        self, context: FetchContext, api: Api, connection: duckdb.DuckDBPyConnection
    ) -> None:
        super().__init__(context, connection, TABLES, SHAPES)
        self._api = api
        self._compare_every = timedelta(days=context.config.compare_days)

    def changed(self, table: str) -> None:
        """Rows modified since the last load; and, when it is time, what was deleted or missed."""
        cursor = self.cursor(table)
        reader = self.reader(table)
        first = by_page(reader, self._api, table, self._filter(table, cursor), PER_PAGE)
        started = self.clock(first)
        compared = cursor.get("compared", started.isoformat())
        is_due = started - datetime.fromisoformat(compared) >= self._compare_every
        gone: set[str] = set()
        if is_due and not self.days:
            compared = started.isoformat()
            gone = self._compare(table, reader)
        file = reader.close()
        mark = self.mark(table, file, "date_modified_gmt", started)
        after = mark | {"compared": compared}
        if self.days or after != cursor:
            self.keep(reader, file, after)
        if gone:
            self._bury(table, gone, started, after)

    def refunds(self) -> None:
        """The refunds that changed orders name and we do not hold; those that are gone from them.

        An order names its refunds without their time, so each such order is asked for them. While
        the refunds are stopped, orders are read again from where they were.
        """
        if "orders" not in self.files:
            return
        orders = self.files["orders"]
        named = (
            "select distinct id as order_id, json_extract_string(refund, '$.id') as id from "
            f"(select id, unnest(cast(cast(refunds as json) as json[])) as refund from "
            f"read_parquet({literal(orders)}))"
        )
        held = f"select id, order_id from ({self.held('order_refunds')}) where _is_deleted = false"
        new = self._column(
            f"select distinct order_id from ({named}) anti join ({held}) using (order_id, id)"
        )
        if new:
            reader = self.reader("order_refunds")
            if sum(self._refunds_of(order, reader) for order in new):
                self.keep(reader, reader.close(), {})
        if "order_refunds" in self.stopped:
            self.hold_back("orders")
        gone = self._column(
            f"select id from ({held}) where order_id in (select id from "
            f"read_parquet({literal(orders)})) and id not in (select id from ({named}))"
        )
        if gone:
            self._bury("order_refunds", gone, None, {})

    def customers(self) -> None:
        """Every account; those that are gone become tombstones at once, for all were listed."""
        reader = self.reader("customers")
        first = by_page(reader, self._api, "customers", STABLE | EVERYTHING["customers"], PER_PAGE)
        file = reader.close()
        self.keep_when_changed(reader, file)
        missing = self._column(
            f"select id from ({self.held('customers')}) where _is_deleted = false and id not in "
            f"(select id from read_parquet({literal(file)}))"
        )
        gone = set(missing) - self._still_there("customers", missing)
        if gone:
            digest = self.digest("customers", f"select * from read_parquet({literal(file)})")
            self._bury("customers", gone, self.clock(first), {"digest": digest})

    def _filter(self, table: str, cursor: dict[str, Any]) -> dict[str, str | int]:
        params = STABLE | EVERYTHING[table]
        if self.days:
            first, after = self.days
            params["modified_after"] = (first - timedelta(seconds=1)).isoformat()
            params["modified_before"] = after.isoformat()
        elif "since" in cursor:
            params["modified_after"] = cursor["since"]
        return params | ({"dates_are_gmt": "true"} if "modified_after" in params else {})

    def _compare(self, table: str, reader: TableReader) -> set[str]:
        """Read what we missed; the ids that we hold and the shop no longer has."""
        listed = self._ids(table)
        held = set(self._column(f"select id from ({self.held(table)}) where _is_deleted = false"))
        for number, ids in enumerate(_hundreds(listed - held), 1):
            body = self._included(table, ids).body
            reader.add(f"{table}?missed={number}", body)
        missing = held - listed
        return missing - self._still_there(table, missing)

    def _ids(self, table: str) -> set[str]:
        """All ids that the shop has, a few bytes each."""
        ids: set[str] = set()
        page = pages = 1
        while page <= pages:
            params = {**STABLE, **EVERYTHING[table], "_fields": "id"}
            answer = self._api.send(
                "GET", table, params={**params, "page": page, "per_page": PER_PAGE}
            )
            ids |= _ids_in(answer)
            pages, page = int(answer.headers.get("X-WP-TotalPages", 1)), page + 1
        return ids

    def _still_there(self, table: str, ids: Iterable[str]) -> set[str]:
        """Which of these exist: a list that moved while it was read is no proof of a deletion."""
        found: set[str] = set()
        for some in _hundreds(ids):
            found |= _ids_in(self._included(table, some, _fields="id"))
        return found

    def _included(self, table: str, ids: Iterable[str], **more: str) -> Answer:
        params = {**EVERYTHING[table], "include": ",".join(ids), "per_page": PER_PAGE, **more}
        return self._api.send("GET", table, params=params)

    def _refunds_of(self, order: str, reader: TableReader) -> bool:
        try:
            by_page(reader, self._api, f"orders/{order}/refunds", STABLE, PER_PAGE)
        except NotFoundError:
            return False  # deleted since it was listed: the next comparison says so
        return True

    def _bury(
        self, table: str, ids: Iterable[str], at: datetime | None, cursor: dict[str, Any]
    ) -> None:
        """Tombstones: the key, the time when it was found gone, and nothing else."""
        self.connection.execute(
            "create or replace temp table gone as select unnest(?) as id", [sorted(ids)]
        )
        time = f", timestamp {literal(str(at))} as date_modified_gmt" if at else ""
        query = f"select id{time}, true as _is_deleted from gone"
        self.add_rows(table, f"{table}?deleted", query, cursor)

    def _column(self, query: str) -> list[str]:
        return sorted(row[0] for row in self.connection.execute(query).fetchall())


def _hundreds(ids: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), PER_PAGE):
        yield ordered[start : start + PER_PAGE]


def _ids_in(answer: Answer) -> set[str]:
    return {str(entry["id"]) for entry in json.loads(answer.body)}
