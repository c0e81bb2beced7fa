"""The shop's tables in WooCommerce's terms, and which rows of them a request is about.

Ids are whole numbers in WooCommerce: the digits of the shop's own numbers, which stay visible as
an order's `number`, a product's `sku` and an account's `username`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from sandbox.files import read_json, write_json
from sandbox.world_tables import FIRST_DAY_SHOWN, TO_UTC, WorldTables, newest, number

# The shop's words for an order; money on delivery is still to come while it is processed.
STATUS = {
    "pending": "processing", "paid": "processing", "completed": "completed",
    "cancelled": "cancelled", "returned": "refunded",
}  # fmt: skip
_ORDER = {"date": "created", "id": "id", "title": "id", "slug": "id", "include": "id",
          "registered_date": "created", "name": "name"}  # fmt: skip


def fill(connection: duckdb.DuckDBPyConnection, root: Path, today: str) -> None:
    """Make the tables orders, lines, refunds, customers, products."""
    exports = root / "exports" / "web_shop"

    def table(name: str, key: str, order: str | None = None) -> str:
        return newest(exports / f"{name}-*.csv", key, today, order)

    connection.execute(f"""
        create or replace temp table refunds as
        select {number("refund_id")} as id, {number("order_id")} as order_id,
            cast(amount as bigint) as amount, cast(refunded_at as timestamp) {TO_UTC} as created
        from ({table("refunds", "refund_id")});
        create or replace temp table payments as
        select {number("order_id")} as order_id, any_value(method) as method,
            cast(min(paid_at) as timestamp) {TO_UTC} as paid
        from ({table("payments", "payment_id")}) group by 1;
        create or replace temp table lines as
        select {number("order_line_id")} as id, {number("order_id")} as order_id,
            {number("lines.product_id")} as product_id, cast(quantity as bigint) as quantity,
            cast(unit_price as bigint) as unit_price, cast(amount as bigint) as amount,
            products.name, products.sku
        from ({table("order_lines", "order_line_id")}) as lines
        left join ({table("products", "product_id", "updated_at")}) as products
            on lines.product_id = products.product_id;
        create or replace temp table orders as
        select {number("orders.order_id")} as id, orders.order_id as number,
            coalesce({number("orders.user_id")}, 0) as customer_id, orders.* exclude (order_id),
            coalesce(orders.guest_email, members.email) as email,
            coalesce(orders.guest_phone, members.phone) as phone,
            coalesce(orders.guest_name, members.full_name) as full_name, method, paid,
            cast(ordered_at as timestamp) {TO_UTC} as created,
            greatest(cast(orders.updated_at as timestamp) {TO_UTC},
                (select max(created) from refunds
                where order_id = {number("orders.order_id")})) as modified
        from ({table("orders", "order_id", "updated_at")}) as orders
        left join ({table("members", "user_id", "updated_at")}) as members
            on orders.user_id = members.user_id
        left join payments on payments.order_id = {number("orders.order_id")}
        where cast(ordered_at as date) >= date '{FIRST_DAY_SHOWN}';
        create or replace temp table customers as
        select {number("user_id")} as id, *, full_name as name,
            cast(created_at as timestamp) {TO_UTC} as created,
            cast(updated_at as timestamp) {TO_UTC} as modified,
            user_id in (select user_id from orders) as is_paying
        from ({table("members", "user_id", "updated_at")});
        create or replace temp table products as
        select {number("product_id")} as id, *, cast(updated_at as timestamp) {TO_UTC} as created,
            cast(updated_at as timestamp) {TO_UTC} as modified
        from ({table("products", "product_id", "updated_at")})
    """)
    for name, ids in (read_json(root / "woocommerce" / "bin.json") or {}).items():
        if ids:
            connection.execute(f"delete from {name} where id in (select unnest(?))", [ids])


class Shop:
    """What the API reads and deletes."""

    def __init__(self, root: Path) -> None:
        self.tables = WorldTables(root, fill)
        self._bin = root / "woocommerce" / "bin.json"

    def page(
        self, table: str, query: dict[str, Any], first: int, count: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """How many rows a request is about, and `count` of them after the `first`."""
        tests = ["true"]
        values: list[Any] = []
        if query.get("include"):
            tests.append("id in (select unnest(?))")
            values.append([int(text) for text in query["include"].split(",")])
        # Site time, unless the request says that its dates are GMT.
        shift = "" if query.get("dates_are_gmt") in ("true", "1") else TO_UTC
        for name, test in (
            ("modified_after", "modified >"), ("modified_before", "modified <"),
            ("after", "created >"), ("before", "created <"),
        ):  # fmt: skip
            if query.get(name):
                tests.append(f"{test} cast(? as timestamp) {shift}")
                values.append(query[name])
        for name, column in (("customer", "customer_id"), ("email", "email"), ("sku", "sku")):
            if query.get(name):
                tests.append(f"{column} = ?")
                values.append(query[name])
        status = query.get("status", "any")
        if table == "orders" and status != "any":
            words = [ours for ours, theirs in STATUS.items() if theirs == status]
            tests.append("status in (select unnest(?))")
            values.append(words)
        where = " and ".join(tests)
        order = _ORDER[query.get("orderby", "name" if table == "customers" else "date")]
        way = query.get("order", "asc" if table == "customers" else "desc")
        total = self.tables.rows(f"select count(*) as n from {table} where {where}", values)[0]["n"]
        rows = self.tables.rows(
            f"select * from {table} where {where} order by {order} {way}, id {way} "
            f"limit {count} offset {first}",
            values,
        )
        return total, rows

    def of_orders(self, table: str, orders: list[int]) -> dict[int, list[dict[str, Any]]]:
        """Lines or refunds of some orders, in order of their ids."""
        found: dict[int, list[dict[str, Any]]] = {order: [] for order in orders}
        sql = f"select * from {table} where order_id in (select unnest(?)) order by id"
        for row in self.tables.rows(sql, [orders]):
            found[row["order_id"]].append(row)
        return found

    def delete(self, table: str, row_id: int) -> None:
        """Put a row into the bin: the collections show it no more."""
        found: dict[str, list[int]] = read_json(self._bin) or {}
        found.setdefault(table, []).append(row_id)
        self._bin.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._bin, found)
        self.tables.refresh()


def text(value: Any) -> str:
    """JSON as the shop writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
