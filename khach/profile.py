"""One person's profile from the published marts. Personal data: callers write it nowhere."""

from typing import Any

import duckdb

from khach.contacts import parse_email, parse_phone
from khach.environment import Environment
from khach.errors import KhachError
from khach.readers import read_only_session

Record = dict[str, Any]

# What is shown beside the row of `customers`; a table that is not published yet is left out.
_PARTS = {
    "identifiers": (
        "customer_identifiers",
        "select identifier_type, identifier_value, source, first_seen_at, last_seen_at "
        "from customer_identifiers where customer_id = $id and valid_to is null order by all",
    ),
    "consents": (
        "consents",
        "select channel, purpose, is_granted, granted_at, withdrawn_at, evidence_source "
        "from consents where customer_id = $id order by all",
    ),
    "orders": (
        "orders",
        "select order_id, channel, ordered_at, status, units, gross_amount, net_amount from orders "
        "where customer_id = $id order by ordered_at desc, order_id limit 20",
    ),
    "open_carts": (
        "carts",
        "select cart_id, started_at, last_activity_at, item_count, cart_amount from carts "
        "where customer_id = $id and is_abandoned and not is_recovered "
        "order by last_activity_at desc, cart_id limit 5",
    ),
    "interactions": (
        "interactions",
        "select occurred_at, channel, direction, kind, order_id from interactions "
        "where customer_id = $id order by occurred_at desc, interaction_id limit 20",
    ),
    "segments": (
        "segment_membership",
        "select segment_id, valid_from from segment_membership "
        "where customer_id = $id and valid_to is null order by all",
    ),
    "audiences": (
        "audience_membership",
        "select audience, sync_id, reason_code, valid_from from audience_membership "
        "where customer_id = $id and valid_to is null order by all",
    ),
}


def find_customers(env: Environment, who: str) -> list[str]:
    """Customer ids for an id, an e-mail address or a phone number in any usual form.

    Raises KhachError when nobody fits; the message does not repeat what was asked for.
    """
    from khach.settings import load_settings

    forms = (parse_email(who), parse_phone(who, load_settings(env).default_country))
    values = [form for form in forms if form]
    with read_only_session(env) as connection:
        rows = connection.execute(
            "select customer_id from customers where customer_id = $who union "
            "select customer_id from customer_identifiers where identifier_type in "
            "('email', 'phone') and list_contains($values, identifier_value) "
            "and valid_to is null order by all",
            {"who": who, "values": values},
        ).fetchall()
    if not rows:
        raise KhachError(
            "no customer has this id, e-mail address or phone number",
            fix="khach query reads customers and customer_identifiers",
        )
    return [str(row[0]) for row in rows]


def profile(env: Environment, customer_id: str) -> dict[str, Any]:
    """The row of `customers` and the newest rows of what belongs to it."""
    with read_only_session(env) as connection:
        mine = {"id": customer_id}
        head = _rows(connection, "select * from customers where customer_id = $id", mine)
        present = {
            row[0]
            for row in connection.execute("select table_name from duckdb_tables()").fetchall()
        }
        parts = {
            name: _rows(connection, sql, mine)
            for name, (table, sql) in _PARTS.items()
            if table in present
        }
    return {"profile": head[0] if head else {"customer_id": customer_id}} | parts


def explain_attribute(env: Environment, customer_id: str, attribute: str) -> list[Record]:
    """Candidate values of an attribute: value, source, when seen, which is golden and why."""
    with read_only_session(env) as connection:
        return _rows(
            connection,
            "select value, source, observed_at, is_golden, rule from customer_attributes "
            "where customer_id = $id and attribute = $attribute "
            "order by is_golden desc, observed_at desc, source, value",
            {"id": customer_id, "attribute": attribute},
        )


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, values: Record) -> list[Record]:
    cursor = connection.execute(sql, values)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
