"""Whom a person at the terminal means: customer ids for an id, a contact or an account number."""

import duckdb

from khach.contacts import parse_email, parse_phone
from khach.environment import Environment
from khach.errors import KhachError
from khach.readers import read_only_session

# Whoever bears the value now; then whoever any record gave it to, a shared family phone included.
_BY_VALUE = (
    "select customer_id from customer_identifiers where valid_to is null and "
    "(identifier_type in ('email', 'phone') and list_contains($values, identifier_value) "
    "or identifier_type in ('user_id', 'member_number', 'external_id') "
    "and identifier_value = $who)",
    "select customer_id from customer_attributes where attribute in ('email', 'phone_e164') "
    "and list_contains($values, value)",
)


def find_customers(env: Environment, who: str) -> list[str]:
    """Customer ids for an id, an e-mail address, a phone number in any usual form, or an account.

    An id that was merged away is its survivor. Raises KhachError when nobody fits; the message
    does not repeat what was asked for.
    """
    from khach.settings import load_settings

    forms = (parse_email(who), parse_phone(who, load_settings(env).default_country))
    asked = {"who": who.strip(), "values": [form for form in forms if form]}
    with read_only_session(env) as connection:
        survivor = surviving_id(connection, who.strip())
        if survivor is not None:
            return [survivor]
        for sql in _BY_VALUE:
            wanted = {name: value for name, value in asked.items() if f"${name}" in sql}
            known = "select customer_id from customers"
            try:
                rows = connection.execute(
                    f"{sql} intersect {known} order by all", wanted
                ).fetchall()
            except duckdb.CatalogException:
                continue  # a snapshot of an older release
            if rows:
                return [str(row[0]) for row in rows]
    raise KhachError(
        "no customer has this id, e-mail address, phone number or account",
        fix="khach query reads customers and customer_identifiers",
    )


def surviving_id(connection: duckdb.DuckDBPyConnection, customer_id: str) -> str | None:
    """The id itself while it lives, else the one it was merged into, however often; else None."""
    survivor = (
        "select customers.customer_id from customer_survivors inner join customers "
        "on customer_survivors.current_customer_id = customers.customer_id "
        "where customer_survivors.customer_id = ?"
    )
    try:
        found = connection.execute(survivor, [customer_id]).fetchone()
    except duckdb.CatalogException:  # a snapshot of an older release
        living = "select customer_id from customers where customer_id = ?"
        found = connection.execute(living, [customer_id]).fetchone()
    return str(found[0]) if found else None
