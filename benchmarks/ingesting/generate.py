"""Web events as a shop's collector delivers them, made by DuckDB, with the truth beside them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

NAMES = (
    *("Product Viewed", "Product List Viewed", "Products Searched", "Product Added"),
    *("Product Removed", "Cart Viewed", "Checkout Started", "Order Completed", "Signed Up"),
    *("Home Viewed", "Product Clicked", "Coupon Applied", "Wishlist Added", "Product Shared"),
    *("Product Reviewed", "Payment Info Entered", "Checkout Step Viewed", "Order Refunded"),
    *("Promotion Viewed", "Promotion Clicked"),
)
# A line as text in which <...> is SQL.
_LINE = (
    '{"messageId":"<message_id>","type":"track","event":"<event>","anonymousId":"<anonymous_id>",'
    """"userId":<coalesce('"' || user_id || '"', 'null')>,"timestamp":"<iso(t)>","""
    '"sentAt":"<iso(t)>","receivedAt":"<iso(t + interval 400 milliseconds)>",'
    '"properties":<properties>,"traits":<traits>,"context":<context>}'
)
_PROPERTIES = (
    '{"product_id":"p-<r % 5000>","name":"Áo thun mùa hè số <r % 5000>","category":"cat <r % 40>",'
    '"price":<r % 900 + 100>.5,"quantity":<r % 5 + 1>,"cart_id":"<cart_id>",'
    '"tags":["new","sale","<r % 97>","size-<r % 13>"]}'
)
_TRAITS = '{"email":"user<k % 200000>@example.com","tier":"gold","city":"Hà Nội <r % 63>"}'
_CONTEXT = (
    '{"campaign":{"source":"newsletter","medium":"email","name":"summer-<r % 30>"},'
    '"page":{"url":"https://shop.example.com/p/<r % 5000>?ref=<cart_id>","path":"/p/<r % 5000>",'
    '"referrer":"https://search.example.com/?q=<r % 1000>","title":"Trang sản phẩm <r % 5000>"},'
    """"device":{"id":"<anonymous_id>","type":"<['ios','android','desktop'][(r % 3)::int + 1]>"},"""
    '"userAgent":"Mozilla/5.0 (Linux; Android <r % 14>; SM-G99<r % 10>B) AppleWebKit/537.36 '
    '(KHTML, like Gecko) Chrome/1<r % 30>.0.0.0 Mobile Safari/537.36","locale":"vi-VN",'
    '"ip":"10.<r % 250>.<r % 251>.<r % 249>"}'
)
# Every thousandth line is cut off or no JSON; every hundredth repeats an event of its own file.
IS_BAD = "i % 1000 = 500"
_SERIAL = "case when i % 100 = 99 then i - 50 else i end"


@dataclass(frozen=True)
class Delivery:
    """Where the files are, and what is in them."""

    folder: Path
    events: int
    files: int

    @property
    def per_file(self) -> int:
        return self.events // self.files

    @property
    def bad(self) -> int:
        return self.events // 1000


def deliver(folder: Path, events: int, files: int) -> Delivery:
    """Gzipped NDJSON in `folder`, kept when an earlier call made the same."""
    delivery = Delivery(folder, events, files)
    done = folder / "complete.json"
    want = {"events": events, "files": files, "version": 1}
    if done.exists() and json.loads(done.read_text()) == want:
        return delivery
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("events-*"):
        old.unlink()
    with duckdb.connect() as connection:
        connection.execute("set preserve_insertion_order = false")
        for number in range(files):
            path = folder / f"events-{number:05d}.ndjson.gz"
            connection.execute(
                f"copy (select case when {IS_BAD} then left(line, 300 + cast(i % 200 as int)) "
                f"else line end from ({_lines(delivery, number)})) to '{path}' (format csv, "
                "header false, quote '', escape '', delim '\x01', compression gzip)"
            )
    done.write_text(json.dumps(want))
    return delivery


def truth(delivery: Delivery, number: int) -> str:
    """SQL of what must land of one file: `_file`, the identifiers, times and JSON texts."""
    return (
        f"select 'events-{number:05d}.ndjson.gz' as _file, message_id, event, anonymous_id, "
        "user_id, t as occurred_at, t as sent_at, t + interval 400 milliseconds as received_at, "
        f"properties, traits, context from ({_parts(delivery, number)}) where not ({IS_BAD})"
    )


def _lines(delivery: Delivery, number: int) -> str:
    return f"select i, {_text(_LINE)} as line from ({_parts(delivery, number)})"


def _parts(delivery: Delivery, number: int) -> str:
    """The fields of each event of a file, all computed from its serial number."""
    first = number * delivery.per_file
    names = ", ".join(f"'{name}'" for name in NAMES)
    return (
        f"select *, {_text(_PROPERTIES)} as properties, {_text(_TRAITS)} as traits, "
        f"{_text(_CONTEXT)} as context from (select *, md5(cast(k as varchar)) as message_id, "
        f"[{names}][(r % 20)::int + 1] as event, md5('u' || k % 200000) as anonymous_id, "
        "md5('c' || k) as cart_id, case when r % 3 = 0 then 'u-' || k % 200000 end as user_id, "
        "timestamp '2026-01-01' + to_milliseconds(k * 137) as t "
        f"from (select i, k, hash(k) as r from (select i, {_SERIAL} as k "
        f"from range({first}, {first + delivery.per_file}) as n(i))))"
    )


def _text(template: str) -> str:
    """SQL of a text in which <...> is SQL."""
    sql = re.sub(r"iso\(([^()]*)\)", r"strftime(\1, '%Y-%m-%dT%H:%M:%S.%gZ')", template)
    return "'" + re.sub("<(.*?)>", r"' || \1 || '", sql) + "'"
