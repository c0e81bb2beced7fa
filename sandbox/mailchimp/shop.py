"""Operations under `/ecommerce`: the web shop as a store that is connected to the platform.

It shows what the shop's own exports and events say of the last 30 days of the history and since;
a platform without a shop beside it has no store. Customers are known by their address, as the
platform wants them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.mailchimp.exchange import Exchange
from sandbox.mailchimp.problems import not_found
from sandbox.sizes import MAILING_LIST

if TYPE_CHECKING:
    import duckdb

    from sandbox.world_tables import WorldTables

Row = dict[str, Any]
STORE = "sai-web"
# The shop's words for the money and for the goods.
_MONEY = {"pending": "pending", "paid": "paid", "completed": "paid", "cancelled": "cancelled",
          "returned": "refunded"}  # fmt: skip


def get_stores(exchange: Exchange) -> str:
    """`GET /ecommerce/stores`."""
    return _page(exchange, "stores", [_store()] if _is_open(exchange.root) else [])


def get_orders(exchange: Exchange) -> str:
    """`GET /ecommerce/orders`, of all stores, which are one."""
    return _collection(exchange, "orders", _order)


def get_store_orders(exchange: Exchange) -> str:
    """`GET /ecommerce/stores/{store_id}/orders`."""
    return _of_store(exchange, "orders", _order)


def get_store_customers(exchange: Exchange) -> str:
    """`GET /ecommerce/stores/{store_id}/customers`."""
    return _of_store(exchange, "customers", _customer)


def get_store_carts(exchange: Exchange) -> str:
    """`GET /ecommerce/stores/{store_id}/carts`: what was not bought."""
    return _of_store(exchange, "carts", _cart)


def _of_store(exchange: Exchange, name: str, document: Callable[[Row], Row]) -> str:
    if exchange.path["store_id"] != STORE or not _is_open(exchange.root):
        raise not_found()
    return _collection(exchange, name, document, store_id=STORE)


def _collection(
    exchange: Exchange, name: str, document: Callable[[Row], Row], **envelope: str
) -> str:
    if not _is_open(exchange.root):
        return _page(exchange, name, [])
    count, offset = exchange.window()
    tables = _tables(exchange.root)
    total = tables.rows(f"select count(*) as n from {name}")[0]["n"]
    rows = tables.rows(f"select * from {name} order by id limit {count} offset {offset}")
    return _text(exchange, name, [document(row) for row in rows], total, **envelope)


def _page(exchange: Exchange, name: str, items: list[Row]) -> str:
    count, offset = exchange.window()
    return _text(exchange, name, items[offset : offset + count], len(items))


def _text(exchange: Exchange, name: str, items: list[Row], total: int, **envelope: str) -> str:
    body = {**envelope, name: items, "total_items": total}
    return exchange.select(json.dumps(body, ensure_ascii=False))


def _is_open(root: Path) -> bool:
    return (root / "clock.json").exists() and (root / "exports" / "web_shop").is_dir()


@cache
def _tables(root: Path) -> WorldTables:
    from sandbox.world_tables import WorldTables  # DuckDB only where somebody asks

    return WorldTables(root, _fill)


def _fill(connection: duckdb.DuckDBPyConnection, root: Path, today: str) -> None:
    """Make the tables orders, carts, customers."""
    from sandbox.world_tables import FIRST_DAY_SHOWN, TO_UTC, newest

    def table(name: str, key: str, order: str | None = None) -> str:
        return newest(root / "exports" / "web_shop" / f"{name}-*.csv", key, today, order)

    utc = f"{{}}::timestamp {TO_UTC}"
    connection.execute(f"""
        create or replace temp table people as
        select user_id, email, full_name, {utc.format("created_at")} as created,
            {utc.format("updated_at")} as updated
        from ({table("members", "user_id", "updated_at")}) where email <> '';
        create or replace temp table products as
        from ({table("products", "product_id", "updated_at")});
        create or replace temp table orders as
        with lines as (
            select order_id, sum(amount::bigint)::bigint as total,
                sum(discount::bigint)::bigint as discount,
                list({{'id': order_line_id, 'product_id': lines.product_id, 'title': name,
                    'quantity': quantity::bigint, 'price': unit_price::bigint,
                    'discount': discount::bigint}} order by order_line_id) as lines
            from ({table("order_lines", "order_line_id")}) as lines
            left join products using (product_id) group by order_id)
        select order_id as id, cart_id, orders.status, coupon_code, lines, total, lines.discount,
            coalesce(user_id, md5(lower(guest_email))) as customer_id,
            coalesce(guest_email, people.email) as email,
            coalesce(guest_name, people.full_name) as full_name,
            {utc.format("ordered_at")} as ordered, {utc.format("orders.updated_at")} as updated
        from ({table("orders", "order_id", "updated_at")}) as orders
        join lines using (order_id) left join people using (user_id)
        where ordered_at::date >= date '{FIRST_DAY_SHOWN}'
            and coalesce(guest_email, people.email) <> ''
    """)
    _fill_carts(connection, root, FIRST_DAY_SHOWN, date.fromisoformat(today))
    connection.execute("""
        create or replace temp table customers as
        select customer_id as id, arg_max(email, updated) as email,
            arg_max(full_name, updated) as full_name, count(*) as orders,
            sum(total) filter (status in ('paid', 'completed'))::bigint as spent,
            min(ordered) as created, max(updated) as updated
        from orders group by customer_id
    """)


def _fill_carts(
    connection: duckdb.DuckDBPyConnection, root: Path, first: date, today: date
) -> None:
    """Carts of people with an account that became no order, from the events that built them."""
    days = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    paths = [root / "exports" / "web_events" / f"events-{day}.ndjson.gz" for day in days]
    files = [str(path) for path in paths if path.exists()]
    # Each line as it is: some are broken.
    lines = (
        "read_csv($files, delim='\x01', quote='', escape='', header=false, auto_detect=false, "
        "columns={'line': 'VARCHAR'}, ignore_errors=true)"
        if files
        else "(select '' as line where len($files) > 0)"
    )
    connection.execute(
        f"""
        create or replace temp table carts as
        with added as (
            select line->>'$.userId' as user_id, (line->>'$.timestamp')::timestamp as added_at,
                line->'$.properties' as item
            from {lines} where line like '%"Product Added"%' and json_valid(line)),
        items as (
            select item->>'$.cart_id' as id, user_id, item->>'$.product_id' as product_id,
                any_value(item->>'$.name') as title, max((item->>'$.quantity')::bigint) as quantity,
                max((item->>'$.price')::bigint) as price, min(added_at) as created,
                max(added_at) as updated
            from added where user_id <> '' group by 1, 2, 3)
        select id, user_id as customer_id, email, full_name, min(items.created) as created,
            max(items.updated) as updated, sum(quantity * price)::bigint as total,
            list({{'product_id': product_id, 'title': title, 'quantity': quantity,
                'price': price}} order by product_id) as lines
        from items join people using (user_id)
        where id not in (select cart_id from orders where cart_id is not null)
        group by 1, 2, 3, 4
        """,
        {"files": files},
    )


def _store() -> Row:
    return {
        "id": STORE, "list_id": MAILING_LIST, "name": "Sải", "platform": "custom",
        "domain": "sai.example", "is_syncing": False, "currency_code": "VND",
        "money_format": "₫", "timezone": "Asia/Ho_Chi_Minh", "list_is_active": True,
        "created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00",
    }  # fmt: skip


def _order(row: Row) -> Row:
    status = row["status"]
    found = {
        "id": row["id"], "store_id": STORE, "customer": _buyer(row), "currency_code": "VND",
        "financial_status": _MONEY[status], "order_total": row["total"],
        "fulfillment_status": "shipped" if status in ("completed", "returned") else "",
        "discount_total": row["discount"], "tax_total": 0, "shipping_total": 0,
        "processed_at_foreign": _time(row["ordered"]), "updated_at_foreign": _time(row["updated"]),
        "promos": [], "lines": [_line(f"{one['id']}", one) | {"discount": one["discount"]}
                                for one in row["lines"]],
    }  # fmt: skip
    if row["coupon_code"]:
        promo = {"code": row["coupon_code"], "amount_discounted": row["discount"], "type": "fixed"}
        found["promos"] = [promo]
    if status == "cancelled":
        found["cancelled_at_foreign"] = _time(row["updated"])
    return found


def _cart(row: Row) -> Row:
    lines = enumerate(row["lines"], start=1)
    return {
        "id": row["id"], "customer": _buyer(row), "currency_code": "VND",
        "order_total": row["total"], "tax_total": 0,
        "lines": [_line(f"{row['id']}-{number}", one) for number, one in lines],
        "created_at": _time(row["created"]), "updated_at": _time(row["updated"]),
    }  # fmt: skip


def _customer(row: Row) -> Row:
    return _buyer(row | {"customer_id": row["id"]}) | {
        "orders_count": row["orders"], "total_spent": row["spent"] or 0,
        "created_at": _time(row["created"]), "updated_at": _time(row["updated"]),
    }  # fmt: skip


def _buyer(row: Row) -> Row:
    last, _, first = (row["full_name"] or "").partition(" ")
    return {
        "id": row["customer_id"], "email_address": row["email"], "opt_in_status": False,
        "first_name": first, "last_name": last,
    }  # fmt: skip


def _line(line_id: str, row: Row) -> Row:
    return {
        "id": line_id, "product_id": row["product_id"], "product_title": row["title"] or "",
        "product_variant_id": row["product_id"], "product_variant_title": row["title"] or "",
        "quantity": row["quantity"], "price": row["price"],
    }  # fmt: skip


def _time(at: datetime) -> str:
    return at.replace(tzinfo=UTC).isoformat(timespec="seconds")
