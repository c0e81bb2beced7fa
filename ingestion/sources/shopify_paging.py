"""Page by page through one root of a shop, as large as the vendor's budget lets a page be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ingestion.sources.shopify_api import ShopApi, TooExpensiveError
from ingestion.sources.shopify_queries import page_query
from khach.errors import KhachError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingestion.sources.shopify_nodes import NodeReader
    from ingestion.sources.shopify_tables import Root


class Pager:
    """Reads pages, and asks for less when the vendor finds one too expensive."""

    def __init__(self, api: ShopApi, root: Root, label: str) -> None:
        self._api = api
        self._root = root
        self._label = label
        self._query = page_query(root)
        self._items, self._children = root.items, root.children
        self._number = 0

    def read(self, reader: NodeReader, search: str | None) -> Iterator[dict[str, Any]]:
        """Every page of a search; yields the nodes that have more inside than one page holds."""
        after = None
        while True:
            page = self._page(reader, {"query": search, "after": after})
            yield from (node for node in page["nodes"] if self._rest_of(node))
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def read_inside(self, reader: NodeReader, search: str, node: dict[str, Any]) -> None:
        """What is inside one node after its first page; the node itself comes along again."""
        while (after := self._rest_of(node)) and (
            nodes := self._page(reader, {"query": search, "childAfter": after})["nodes"]
        ):
            node = nodes[0]

    def _rest_of(self, node: dict[str, Any]) -> str | None:
        found = (node.get(self._root.inside or "") or {}).get("pageInfo") or {}
        return str(found["endCursor"]) if found.get("hasNextPage") else None

    def _page(self, reader: NodeReader, variables: dict[str, Any]) -> dict[str, Any]:
        while True:
            sizes = {"first": self._items}
            if self._root.inside:
                sizes["children"] = self._children
            given = {name: value for name, value in variables.items() if value is not None}
            try:
                body = self._api.query(self._query, given | sizes)
            except TooExpensiveError:
                self._ask_for_less(reader)
                continue
            self._number += 1
            reader.page(f"{self._label}-{self._number:06d}", body)
            page: dict[str, Any] = json.loads(body)["data"]["page"]
            return page

    def _ask_for_less(self, reader: NodeReader) -> None:
        if self._items > 1:
            self._items //= 2
        elif self._children > 1:
            self._children //= 2
        else:
            raise KhachError(f"one node of {reader.root.name} costs more than the API ever grants")
