"""The tills' tables in Square's terms. Times are UTC, money is VND, which has no smaller unit.

A return is an order of its own in Square, without lines to sell, and the refund of a payment.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from sandbox.world_tables import FIRST_DAY_SHOWN, TO_UTC, newest

# How a card, a bank's QR code, a purse and cash are called there.
SOURCE_TYPES = {"cash": "CASH", "card": "CARD", "qr": "EXTERNAL", "momo": "WALLET"}


def fill(connection: duckdb.DuckDBPyConnection, root: Path, today: str) -> None:
    """Make the tables locations, customers, orders, lines, payments, refunds, catalog."""
    inbox = root / "tills" / "inbox"

    def table(name: str, key: str, order: str | None = None) -> str:
        return newest(inbox / "*" / f"{name}.csv", key, today, order)

    products = newest(
        root / "exports" / "web_shop" / "products-*.csv", "product_id", today, "updated_at"
    )
    connection.execute(f"""
        create or replace temp table products as
        select product_id, name, sku, category, cast(price as bigint) as price,
            cast(updated_at as timestamp) {TO_UTC} as updated_at from ({products});
        create or replace temp table locations as
        select store_id as id, store_name, province, cast(updated_at as timestamp) as updated_at
        from ({table("stores", "store_id", "updated_at")});
        create or replace temp table customers as
        select member_number as id, * exclude (enrolled_at, updated_at),
            cast(enrolled_at as timestamp) as created_at,
            cast(updated_at as timestamp) as updated_at
        from ({table("members", "member_number", "updated_at")});
        create or replace temp table lines as
        select receipt_line_id as id, receipt_id as order_id, lines.product_id,
            cast(quantity as bigint) as quantity, cast(unit_price as bigint) as unit_price,
            cast(discount as bigint) as discount, cast(amount as bigint) as amount, products.name
        from ({table("receipt_lines", "receipt_line_id", "updated_at")}) as lines
        left join products on lines.product_id = products.product_id;
        create or replace temp table returns as
        select return_id as id, receipt_id, cast(amount as bigint) as amount,
            cast(returned_at as timestamp) as created_at
        from ({table("returns", "return_id")});
        create or replace temp table orders as
        select receipt_id as id, store_id as location_id, member_number, phone,
            cast(sold_at as timestamp) as created_at, cast(updated_at as timestamp) as updated_at,
            cast(null as varchar) as returned_order, cast(null as bigint) as returned_amount
        from ({table("receipts", "receipt_id", "updated_at")})
        where cast(sold_at as timestamp) >= timestamp '{FIRST_DAY_SHOWN}';
        create or replace temp table payments as
        select payment_id as id, receipt_id as order_id, orders.location_id, orders.member_number,
            method, cast(amount as bigint) as amount, cast(paid_at as timestamp) as created_at,
            cast(paid_at as timestamp) as updated_at
        from ({table("payments", "payment_id")}) as payments
        inner join orders on payments.receipt_id = orders.id;
        create or replace temp table refunds as
        select returns.id, returns.id || '-order' as order_id, orders.location_id, returns.amount,
            (select min(payments.id) from payments where payments.order_id = orders.id)
            as payment_id, returns.created_at, returns.created_at as updated_at
        from returns inner join orders on returns.receipt_id = orders.id;
        insert into orders
        select refunds.order_id, refunds.location_id, orders.member_number, null,
            refunds.created_at, refunds.created_at, payments.order_id, refunds.amount
        from refunds inner join payments on refunds.payment_id = payments.id
        inner join orders on payments.order_id = orders.id
    """)
