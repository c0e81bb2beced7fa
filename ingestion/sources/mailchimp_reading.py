"""One fetch of a Mailchimp account: lists, members, campaigns and the reports of what was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestion.paging import by_offset
from ingestion.parquet import literal
from ingestion.reading import OVERLAP, Reading
from ingestion.sources import mailchimp_details, mailchimp_shops
from ingestion.sources.mailchimp_tables import REPORT_FIELDS, REPORTS, SHAPES, TABLES
from khach.clock import now

if TYPE_CHECKING:
    import duckdb

    from ingestion.pages import TableReader
    from ingestion.rest import Api
    from ingestion.spec import FetchContext

PAGE_ITEMS = 1000  # the API's maximum
ALL_TABLES = TABLES | mailchimp_details.TABLES | mailchimp_shops.TABLES
ALL_SHAPES = SHAPES | mailchimp_details.SHAPES | mailchimp_shops.SHAPES


class AccountReading(Reading):
    """What was read of an account, what of it is new, and where the next run starts.

    `wanted` is the one list to follow, None for all. After `members()`, `changed_members` is the
    file of those that changed, None when none did.
    """

    def __init__(
        self,
        context: FetchContext,
        api: Api,
        connection: duckdb.DuckDBPyConnection,
        wanted: str | None,
    ) -> None:
        super().__init__(context, connection, ALL_TABLES, ALL_SHAPES)
        self.api = api
        self.list_ids: list[str] = []
        self.changed_members: Path | None = None
        self._wanted = wanted

    def read(self, reader: TableReader, path: str, params: Mapping[str, str] | None = None) -> None:
        """Every page of a collection into a table, with all that the vendor tells of an item."""
        links = f"_links,{self._shapes[reader.table.name].name}._links"
        given = {**(params or {}), "exclude_fields": links}
        by_offset(reader, self.api, path, given, PAGE_ITEMS)

    def items(self, path: str, name: str, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The items of a small collection themselves, for what is asked next."""
        asked = "total_items," + ",".join(f"{name}.{field}" for field in fields)
        offset, total = 0, 1
        while offset < total:
            params: dict[str, str | int] = {"count": PAGE_ITEMS, "offset": offset, "fields": asked}
            page = json.loads(self.api.get(path, params))
            yield from page[name]
            total, offset = page["total_items"], offset + PAGE_ITEMS

    def lists(self) -> None:
        """The account's lists, all of them; only the wanted ones are followed further."""
        reader = self.reader("lists")
        self.read(reader, "lists")
        file = reader.close()
        found = self.connection.execute(f"select list_id from ({_rows(file)})").fetchall()
        self.list_ids = sorted(row[0] for row in found if self._wanted in (None, row[0]))
        if self._wanted and not self.list_ids:
            config = self.context.config
            raise config.problem("the account has no list with this id", "list_id")
        self.keep_when_changed(reader, file)

    def of_lists(self, table: str, path: str, params: Mapping[str, str] | None = None) -> Path:
        """A table that each list has, read whole and kept when something in it changed."""
        reader = self.reader(table)
        for list_id in self.list_ids:
            self.read(reader, f"lists/{list_id}/{path}", params)
        file = reader.close()
        self.keep_when_changed(reader, file)
        return file

    def campaigns(self) -> None:
        """Every campaign, sent or not."""
        reader = self.reader("campaigns")
        for list_id in self.list_ids:
            self.read(reader, "campaigns", {"list_id": list_id})
        self.keep_when_changed(reader, reader.close())

    def members(self, *, everyone: bool = False) -> None:
        """Members that changed since the last load, the overlap recognised by its content.

        `everyone`: all of them once more, for what is asked of each.
        """
        seen = self.cursor("members")
        reader = self.reader("members")
        for list_id in self.list_ids:
            since = seen.get(list_id, {}).get("since")
            params = {"since_last_changed": since} if since and not everyone else {}
            if self.days:
                first, after = (end.isoformat() for end in _exclusive(self.days))
                params = {"since_last_changed": first, "before_last_changed": after}
            self.read(reader, f"lists/{list_id}/members", params)
        file = reader.close()
        marks = {one: self._members_mark(file, one, seen.get(one, {})) for one in self.list_ids}
        moved = any(mark != seen.get(list_id) for list_id, mark in marks.items())
        if self.days or moved or everyone:
            self.keep(reader, file, seen | marks)
            self.changed_members = file

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
        for table, path, names in REPORTS:
            self.report(table, path, self.due(table, names))

    def report(self, table: str, path: str, due: dict[str, str]) -> None:
        """A part of the reports of some campaigns."""
        if due:
            reader = self.reader(table)
            for campaign in due:
                self.read(reader, f"reports/{campaign}/{path}")
            self.keep(reader, reader.close(), self.cursor(table) | due)

    def due(self, table: str, names: Sequence[str], needs: str | None = None) -> dict[str, str]:
        """Campaigns that a table is read of again, each with the mark that its totals leave.

        In a backfill those that were sent in its days. `needs`: a total without which a campaign
        has no rows there.
        """
        cursor = self.cursor(table)
        oldest = now(self.context.env) - timedelta(days=self.context.config.refresh_days)
        due = {}
        for campaign, report in self._totals.items():
            mark = "|".join(str(report.get(name)) for name in names)
            known = cursor.get(campaign)
            if self.days:
                first, after = _exclusive(self.days)
                is_due = first < report["send_time"] < after
            else:
                is_due = mark != known and (known is None or report["send_time"] >= oldest)
            if is_due and (needs is None or report.get(needs)):
                due[campaign] = mark
        return due

    @cached_property
    def _totals(self) -> dict[str, dict[str, Any]]:
        """Campaign id to its report's totals: a few numbers for each campaign ever sent."""
        reports = self.items("reports", "reports", REPORT_FIELDS)
        return {one["id"]: _flat(one) for one in reports if one["list_id"] in self.list_ids}


def _exclusive(days: tuple[datetime, datetime]) -> tuple[datetime, datetime]:
    """The bounds of a backfill (aware, UTC) as the API wants them, which leaves both out."""
    first, after = (end.replace(tzinfo=UTC) for end in days)
    return first - timedelta(seconds=1), after


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
