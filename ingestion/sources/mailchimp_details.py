"""What Mailchimp tells besides: fields, segments, links, single opens, members' feeds.

| `details:` | table | requests |
|---|---|---|
| merge_fields, segments | merge_fields, segments | one a list; landed when something changed |
| click_details | click_details: a campaign's links with their totals | one a campaign whose clicks moved |
| open_details | open_details: each single open | one a campaign whose opens moved |
| click_members | click_members: who followed a link, how often | one a link of such a campaign |
| segment_members | segment_members: all of a segment, when it moved | one a segment that changed |
| member_activity | member_activity: a member's feed | one a member whose record changed |

A segment that is read again brings all its members: its newest load tells who belongs to it.
"""  # noqa: E501 - a table's row

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ingestion.parquet import literal
from ingestion.rest import NotFoundError
from ingestion.shapes import Shape
from ingestion.sources.mailchimp_tables import texts
from ingestion.spec import TableSpec

if TYPE_CHECKING:
    from ingestion.sources.mailchimp_reading import AccountReading

Detail = Literal[
    "merge_fields", "segments", "segment_members", "click_details", "click_members",
    "open_details", "member_activity",
]  # fmt: skip
# What costs a request a list or a campaign that moved; the others can be asked for.
DEFAULT: tuple[Detail, ...] = ("merge_fields", "segments", "click_details")

FEED_ITEMS = 1000
FEEDS_PER_PAGE = 200
_CLICKS = ("clicks_total", "last_click")
_OPENS = ("opens_total", "last_open")

_PLACE = {"_extra": "j", "_file": "v", "_row": "i"}
TABLES = {
    name: TableSpec(name, columns | _PLACE)
    for name, columns in {
        "merge_fields": {
            "list_id": "v", "merge_id": "v", "tag": "v", "name": "v", "type": "v",
            "required": "b", "default_value": "v",
        },
        "segments": {
            "segment_id": "v", "list_id": "v", "name": "v", "type": "v", "member_count": "i",
            "created_at": "t", "updated_at": "t", "options": "j",
        },
        "segment_members": {
            "segment_id": "v", "list_id": "v", "member_id": "v", "email_address": "v",
            "status": "v",
        },
        "click_details": {
            "campaign_id": "v", "link_id": "v", "url": "v", "total_clicks": "i",
            "unique_clicks": "i", "last_click": "t",
        },
        "click_members": {
            "campaign_id": "v", "link_id": "v", "member_id": "v", "email_address": "v",
            "clicks": "i",
        },
        "open_details": {
            "campaign_id": "v", "member_id": "v", "email_address": "v", "occurred_at": "t",
        },
        "member_activity": {
            "member_id": "v", "list_id": "v", "activity_type": "v", "occurred_at": "t",
            "campaign_id": "v", "activity": "j",
        },
    }.items()
}  # fmt: skip

_RECIPIENT = {"campaign_id": "item.campaign_id", "member_id": "item.email_id",
              "email_address": "item.email_address"}  # fmt: skip
SHAPES = {
    "merge_fields": Shape(
        "merge_fields",
        texts("list_id merge_id tag name type required default_value"),
        {name: f"item.{name}" for name in list(TABLES["merge_fields"].columns)[:-3]},
    ),
    "segments": Shape(
        "segments",
        texts("id list_id name type member_count created_at updated_at", options="JSON"),
        {"segment_id": "item.id"}
        | {name: f"item.{name}" for name in list(TABLES["segments"].columns)[1:-3]}
        | {name: f"nullif(item.{name}, '')" for name in ("created_at", "updated_at")},
    ),
    "segment_members": Shape(
        "members",
        texts("list_id id email_address status"),
        {"segment_id": "split_part(_file, '/', 4)", "list_id": "item.list_id",
         "member_id": "item.id", "email_address": "item.email_address", "status": "item.status"},
    ),
    "click_details": Shape(
        "urls_clicked",
        texts("campaign_id id url total_clicks unique_clicks last_click"),
        {"campaign_id": "item.campaign_id", "link_id": "item.id", "url": "item.url",
         "total_clicks": "item.total_clicks", "unique_clicks": "item.unique_clicks",
         "last_click": "nullif(item.last_click, '')"},
    ),
    "click_members": Shape(
        "members",
        texts("campaign_id url_id email_id email_address clicks"),
        _RECIPIENT | {"link_id": "item.url_id", "clicks": "item.clicks"},
    ),
    "open_details": Shape(
        "members",
        texts("campaign_id email_id email_address", opens=[texts("timestamp")]),
        _RECIPIENT | {"occurred_at": 'part."timestamp"'},
        parts="opens",
        counted="timestamp",
    ),
    # The contract leaves the keys of a feed's items open: the whole item is kept.
    "member_activity": Shape(
        "",
        texts("email_id list_id",
              activity=[texts("activity_type created_at_timestamp campaign_id")]),
        {"member_id": "item.email_id", "list_id": "item.list_id",
         "activity_type": "part.activity_type", "occurred_at": "part.created_at_timestamp",
         "campaign_id": "part.campaign_id", "activity": "part_raw"},
        parts="activity",
        counted="activity_type",
    ),
}  # fmt: skip


def read_details(reading: AccountReading, wanted: frozenset[str]) -> None:
    """The wanted ones, each as far as something moved; lists, members and reports came before."""
    if not reading.days:  # a list's own are as they are now
        if "merge_fields" in wanted:
            reading.of_lists("merge_fields", "merge-fields")
        if "segments" in wanted:
            reading.of_lists("segments", "segments")
        if "segment_members" in wanted:
            _segment_members(reading)
    if "click_details" in wanted:
        due = reading.due("click_details", _CLICKS, needs="clicks_total")
        reading.report("click_details", "click-details", due)
    if "click_members" in wanted:
        _click_members(reading)
    if "open_details" in wanted:
        due = reading.due("open_details", _OPENS, needs="opens_total")
        reading.report("open_details", "open-details", due)
    if "member_activity" in wanted and reading.changed_members:
        _member_activity(reading, reading.changed_members)


def _segment_members(reading: AccountReading) -> None:
    cursor = reading.cursor("segment_members")
    due = {}
    for list_id in reading.list_ids:
        path = f"lists/{list_id}/segments"
        for one in reading.items(path, "segments", ("id", "member_count", "updated_at")):
            place, mark = f"{path}/{one['id']}", f"{one['updated_at']}|{one['member_count']}"
            if cursor.get(place) != mark:
                due[place] = mark
    if due:
        reader = reading.reader("segment_members")
        for place in due:
            reading.read(reader, f"{place}/members")
        reading.keep(reader, reader.close(), cursor | due)


def _click_members(reading: AccountReading) -> None:
    due = reading.due("click_members", _CLICKS, needs="clicks_total")
    links = [
        f"reports/{campaign}/click-details/{link['id']}/members"
        for campaign in due
        for link in reading.items(f"reports/{campaign}/click-details", "urls_clicked", ("id",))
    ]
    if links:
        reader = reading.reader("click_members")
        for path in links:
            reading.read(reader, path)
        reading.keep(reader, reader.close(), reading.cursor("click_members") | due)


def _member_activity(reading: AccountReading, members: Path) -> None:
    """The feeds of the members that changed, many in one page, whose label names nobody."""
    sql = f"select distinct list_id, member_id from read_parquet({literal(members)}) order by all"
    asked = reading.connection.execute(sql).fetchall()
    reader = reading.reader("member_activity")
    for start in range(0, max(len(asked), 1), FEEDS_PER_PAGE):
        bodies = [body for one in asked[start : start + FEEDS_PER_PAGE]
                  for body in _feed(reading, *one)]  # fmt: skip
        reader.add(f"activity-feed?from={start}", b"[" + b",".join(bodies) + b"]")
    reading.keep(reader, reader.close(), {"is_read": True})


def _feed(reading: AccountReading, list_id: str, member_id: str) -> Iterator[bytes]:
    """A member's feed to its last page; it announces no total."""
    offset, found = 0, FEED_ITEMS
    while found == FEED_ITEMS:
        params = {"count": FEED_ITEMS, "offset": offset}
        try:
            body = reading.api.get(f"lists/{list_id}/members/{member_id}/activity-feed", params)
        except NotFoundError:  # erased since the list was read
            return
        found = len(re.findall(rb'"activity_type"\s*:', body))
        offset += FEED_ITEMS
        yield body
