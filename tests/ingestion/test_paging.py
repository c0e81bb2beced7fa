"""Pages of a collection that changes while it is read: whatever stays is read."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.paging import by_cursor, by_page
from ingestion.rest import Answer
from khach.errors import KhachError


@dataclass
class Collected:
    """Stands in for the reader: what each page brought."""

    source: str = "shop"
    rows: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def expect(self, rows: int) -> None:
        """Progress is not looked at here."""

    def add(self, label: str, body: bytes, offered: int | None = None) -> None:
        page = json.loads(body)
        rows = page if isinstance(page, list) else page["rows"]
        assert offered in (None, len(rows))
        self.labels.append(label)
        self.rows += rows

    def top_level_text(self, body: bytes, key: str) -> str:
        return str(json.loads(body).get(key, ""))


@dataclass
class Changing:
    """A collection by page number; before each page a step of `changes` happens to it."""

    ids: list[int]
    changes: list[tuple[str, int]]

    def send(self, _method: str, _path: str, *, params: Any) -> Answer:
        if self.changes:
            kind, number = self.changes.pop(0)
            if kind == "delete" and self.ids:
                self.ids.pop(number % len(self.ids))
            elif kind == "add":
                self.ids += [max(self.ids, default=0) + n + 1 for n in range(number % 4)]
        first = (params["page"] - 1) * params["per_page"]
        rows = self.ids[first : first + params["per_page"]]
        pages = -(-len(self.ids) // params["per_page"])
        headers = {"X-WP-Total": str(len(self.ids)), "X-WP-TotalPages": str(pages)}
        return Answer(json.dumps(rows).encode(), headers)


CHANGES = st.lists(st.tuples(st.sampled_from(["delete", "add", "rest"]), st.integers(0, 40)))


@given(count=st.integers(0, 30), changes=CHANGES, per_page=st.integers(1, 7))
def test_what_stays_is_read_though_others_come_and_go(
    count: int, changes: list[tuple[str, int]], per_page: int
) -> None:
    shop = Changing(list(range(1, count + 1)), list(changes))
    reader = Collected()
    by_page(reader, shop, "orders", {}, per_page)  # type: ignore[arg-type]
    stayed = set(range(1, count + 1)) & set(shop.ids)
    assert stayed <= set(reader.rows)
    assert len(set(reader.labels)) == len(reader.labels)


def test_a_cursor_is_followed_to_its_end_and_never_in_a_circle() -> None:
    pages = {"": (["a"], "1"), "1": ([], "2"), "2": (["b"], "")}
    asked: list[Any] = []

    class Api:
        circle = False

        def send(self, _method: str, _path: str, *, body: Any) -> Answer:
            asked.append(body)
            rows, cursor = pages[body.get("cursor", "")]
            more = {"cursor": "2" if self.circle else cursor} if cursor or self.circle else {}
            return Answer(json.dumps({"rows": rows, **more}).encode(), {})

    reader = Collected()
    by_cursor(reader, Api(), "POST", "search", {"limit": 9})  # type: ignore[arg-type]
    assert reader.rows == ["a", "b"]
    assert asked == [{"limit": 9}, {"limit": 9, "cursor": "1"}, {"limit": 9, "cursor": "2"}]
    Api.circle = True
    with pytest.raises(KhachError, match="repeats its cursor"):
        by_cursor(Collected(), Api(), "POST", "search", {})  # type: ignore[arg-type]
