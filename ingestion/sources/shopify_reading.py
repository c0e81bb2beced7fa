"""One fetch of a shop: what was read, what of it is new, and where the next run starts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingestion import lake, verdicts
from ingestion.parquet import literal, quote
from ingestion.sources.shopify_api import ShopApi
from ingestion.sources.shopify_bulk import BulkOperations
from ingestion.sources.shopify_nodes import NodeReader
from ingestion.sources.shopify_paging import Pager
from ingestion.sources.shopify_queries import bulk_query, keys_query
from ingestion.sources.shopify_sql import keys_sql
from ingestion.spec import Backfill, Delivery, Extract, FetchContext
from khach.clock import now
from khach.errors import KhachError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from ingestion.contract import Stopped
    from ingestion.sources.shopify_tables import NodeTable, Root

# A change may become visible in the search later than its own time says.
OVERLAP = timedelta(hours=6)
# More than so many keys gone at once may be a token that no longer sees everything.
FEW = 20


class Reading:
    """Reads root after root and keeps what is new."""

    def __init__(
        self, context: FetchContext, api: ShopApi, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self._context = context
        self._config = context.config
        self._source = context.config.name
        self._api = api
        self._connection = connection
        self._bulk = BulkOperations(self._source, api, context.progress)
        self._files: dict[str, Path] = {}
        self._deliveries: list[Delivery] = []
        self._stopped: list[Stopped] = []

    def extract(self) -> Extract | None:
        """Everything kept, or None."""
        if not self._deliveries and not self._stopped:
            return None
        return Extract(self._files, self._deliveries, stopped=self._stopped)

    def read(self, root: Root) -> None:
        """One root: history at first, then what changed; and now and then what is gone."""
        self._context.progress.step(f"{self._source}: {root.name}")
        text = self._context.seen.cursors.get(root.first.name)
        seen: dict[str, Any] = json.loads(text) if text else {}
        began = now(self._context.env).replace(tzinfo=None)
        compared = seen.get("compared") or began.isoformat()
        reader = NodeReader(self._context, self._connection, root)
        if root.since and not seen:
            began = min(began, self._history(reader))
        else:
            self._pages(reader, seen.get("since"))
        age = began - datetime.fromisoformat(compared)
        if root.since and age >= timedelta(days=self._config.compare_days):
            self._tombstones(reader, began)
            compared = began.isoformat()
        files = reader.close()
        cursor = self._mark(root, files, seen, began) | {"compared": compared}
        if cursor != seen:
            self._keep(reader, files, cursor)

    def again(self, root: Root, days: Backfill) -> None:
        """The days of a backfill: orders and products made in them, customers changed in them."""
        if not root.since and days.first != days.range_first:
            return
        self._context.progress.step(f"{self._source}: {root.name}")
        reader = NodeReader(self._context, self._connection, root)
        first, after = days.instants(self._config.time_zone)
        search = root.between.format(first, after) if root.since else None
        self._read_pages(reader, search, f"{root.name}-again-{days.first}")
        self._keep(reader, reader.close(), None)

    def _history(self, reader: NodeReader) -> datetime:
        """Everything, by a bulk operation; when it began, by the vendor's clock."""
        root = reader.root
        known = self._context.seen.fingerprints.items()
        landed = {mark for (table, _), mark in known if table == root.first.name}
        path = reader.folder / "history.jsonl"
        bulk = self._bulk.run(bulk_query(root), path, landed=frozenset(landed))
        if bulk.path:
            self._context.progress.step(f"{self._source}: {root.name}, reading the file")
            reader.bulk(f"{root.name}-bulk-{bulk.number}", bulk.path, bulk.root_nodes, bulk.number)
            bulk.path.unlink()
        return bulk.created_at.replace(tzinfo=None)

    def _pages(self, reader: NodeReader, since: str | None) -> None:
        """Every page of what changed since (everything where the root is read whole)."""
        root = reader.root
        search, label = None, root.name
        if root.since:
            moment = datetime.fromisoformat(since or "1970-01-01") - root.margin
            search, label = root.since.format(moment), f"{root.name}-{moment:%Y%m%dT%H%M%S}"
        self._read_pages(reader, search, label)

    def _read_pages(self, reader: NodeReader, search: str | None, label: str) -> None:
        pager = Pager(self._api, reader.root, label)
        for node in pager.read(reader, search):
            # A node with more inside than one page holds is asked for again, by its key.
            key = str(node["id"]).rpartition("/")[2]
            pager.read_inside(reader, f"id:{key}", node)

    def _mark(
        self, root: Root, files: dict[str, Path], seen: dict[str, Any], began: datetime
    ) -> dict[str, Any]:
        """Where the next run starts, and the digest of what it will see again from there.

        The same as `seen` when this run saw exactly what was to be seen again.
        """
        file, clock = files.get(root.first.name), root.first.clock
        rows = "select null as id, cast(null as timestamp) as moved where false"
        if file:
            rows = (
                f"select distinct id, {clock} as moved from read_parquet({literal(file)}) "
                "where not _is_deleted"
            )
        since = seen.get("since")
        if seen and self._digest(rows, since) == seen["digest"]:
            return {"since": since, "digest": seen["digest"]}
        if root.since:
            newest = self._connection.execute(f"select max(moved) from ({rows})").fetchone()
            found = newest[0] if newest and newest[0] else began
            since = max(since or "", (found - OVERLAP).isoformat())
        return {"since": since, "digest": self._digest(rows, since)}

    def _digest(self, rows: str, since: str | None) -> str:
        """Recognises the same rows in any order: how many, and the XOR of their hashes."""
        again = f"where moved >= timestamp {literal(since)}" if since else ""
        found = self._connection.execute(
            "select count(*) || ':' || coalesce(bit_xor(md5_number(id || '|' || "
            f"coalesce(cast(moved as varchar), ''))), 0) from ({rows}) {again}"
        ).fetchone()
        return str(found[0]) if found else ""

    def _tombstones(self, reader: NodeReader, began: datetime) -> None:
        """Keys that the lake has and the shop has no more, and what goes with them."""
        root = reader.root
        path = reader.folder / "keys.jsonl"
        bulk = self._bulk.run(keys_query(root), path, landed=None)
        present = keys_sql(root, bulk.path)
        known = self._known(root.first)
        if not known:
            return
        self._connection.execute(
            f"create or replace temp table gone as select id from ({known}) where id not in "
            f"(select id from ({present}))"
        )
        gone, had = self._connection.execute(
            f"select (select count(*) from gone), (select count(*) from ({known}))"
        ).fetchall()[0]
        if gone > FEW and gone > had * self._config.most_deleted:
            raise KhachError(
                f"source {self._source}: {gone} of {had} {root.name} are gone from the shop, more "
                "than `most_deleted` allows; nothing was landed",
                fix="check that the app still has read_all_orders, or raise most_deleted once",
            )
        label = f"~keys-{began:%Y%m%dT%H%M%S}"  # sorts after what the same load read before
        moment = f"timestamp {literal(str(began))}"
        for table in root.tables:
            if table is root.first:
                reader.tombstones(table, f"select id, {moment} as updated_at from gone", label)
            elif rows := self._known(table):
                sql = f"select id from ({rows}) where {quote(table.parent or '')} in (from gone)"
                reader.tombstones(table, sql, label)

    def _known(self, table: NodeTable) -> str | None:
        """SQL of the keys that the loads have and that are not deleted; rejected ones left out."""
        source, env = self._source, self._context.env
        rejected = verdicts.rejected(env, source)
        loads = [load for load in verdicts.landed_loads(env, source) if load not in rejected]
        rows = lake.load_rows(env, source, table.name, loads)
        if rows is None:
            return None
        parent = f"max({quote(table.parent)}) as {quote(table.parent)}" if table.parent else "null"
        return (
            f"select id, {parent} from {rows} group by id "
            "having not arg_max(_is_deleted, (cast(_load_id as double), _is_deleted))"
        )

    def _keep(
        self, reader: NodeReader, files: dict[str, Path], cursor: dict[str, Any] | None
    ) -> None:
        text = json.dumps(cursor, sort_keys=True) if cursor else None
        self._deliveries += reader.settle(text)
        self._stopped += reader.stopped.values()
        self._files |= files
