"""How vendors hand out a collection: page after page to the last, each announcing its rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ingestion.pages import TableReader
from ingestion.rest import Answer, Api
from khach.errors import KhachError


def by_offset(
    reader: TableReader, api: Api, path: str, params: Mapping[str, str | int], count: int
) -> None:
    """Every page of a collection, `count` items each, by `offset` and `total_items`."""
    since = "".join(f"{k}={v}&" for k, v in params.items() if k.startswith("since"))
    offset, total = 0, 1
    while offset < total:
        body = api.get(path, {**params, "count": count, "offset": offset})
        # The quotes inside a JSON string are escaped, so this can only be the key itself.
        found = re.findall(rb'"total_items"\s*:\s*([0-9]+)', body)
        if len(found) != 1:
            raise KhachError(f"source {reader.source}: {path} gives no total_items")
        total = int(found[0])
        reader.expect(0 if offset else total)
        offered = max(0, min(count, total - offset))
        reader.add(f"{path}?{since}offset={offset}", body, offered)
        offset += count


def by_page(
    reader: TableReader, api: Api, path: str, params: Mapping[str, str | int], per_page: int
) -> Answer:
    """Every page of a collection by `page` and `per_page`; gives the first answer.

    The rows are announced by the headers X-WP-Total and X-WP-TotalPages. The caller asks for a
    stable order (by id, ascending). Rows that appear meanwhile only push others to a later page;
    where rows disappeared, what followed has moved forward, and so many pages are read again.
    """
    since = "".join(f"{k}={v}&" for k, v in params.items() if k.startswith("modified"))
    first: Answer | None = None
    page = pages = reads = before = 0
    while first is None or page < pages:
        page, reads = page + 1, reads + 1
        asked = {**params, "page": page, "per_page": per_page}
        answer = api.send("GET", path, params=asked)
        first = first or answer
        total, pages = (
            _number(reader, answer, path, name) for name in ("X-WP-Total", "X-WP-TotalPages")
        )
        reader.expect(total if reads == 1 else 0)
        again = f"&read={reads}" if reads != page else ""
        offered = max(0, min(per_page, total - (page - 1) * per_page))
        reader.add(f"{path}?{since}page={page}{again}", answer.body, offered)
        if total < before:
            page = max(0, min(page, pages + 1) - 1 - -(-(before - total) // per_page))
        before = total
    return first


def by_cursor(
    reader: TableReader,
    api: Api,
    method: Literal["GET", "POST"],
    path: str,
    request: Mapping[str, Any],
    *,
    label: str = "",
) -> Answer:
    """Every page of a collection by the `cursor` of the page before; gives the first answer.

    The request's parameters go into the query of a GET, into the body of a POST. The vendor
    announces no count: the reader counts the elements of the array.
    """
    cursor, first, pages = "", None, 0
    while first is None or cursor:
        asked = {**request, "cursor": cursor} if cursor else dict(request)
        answer = (
            api.send(method, path, body=asked)
            if method == "POST"
            else api.send(method, path, params=asked)
        )
        first, pages = first or answer, pages + 1
        reader.add(f"{path}?{label}page={pages}", answer.body)
        following = reader.top_level_text(answer.body, "cursor")
        if following and following == cursor:
            raise KhachError(f"source {reader.source}: {path} repeats its cursor")
        cursor = following
    return first


def _number(reader: TableReader, answer: Answer, path: str, name: str) -> int:
    text = answer.headers.get(name, "")
    if not text.isdecimal():
        raise KhachError(
            f"source {reader.source}: {path} answers without the header {name}",
            fix="let the shop's proxy or security plugin pass the X-WP-* headers on",
        )
    return int(text)
