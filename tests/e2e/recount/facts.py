"""What happened, one list of rows per kind of event: `day`, `customer` (or None) and slices.

A slice value that nobody knows is "unknown". Who a customer is comes from the table `whose`,
everything else from the tables of `inputs`.
"""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any

import duckdb

from tests.e2e.recount import facts_contact, facts_people, facts_shopping

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Facts:
    """All that happened, or the part of it that lies in one value of a slice."""

    orders: list[Row]
    refunds: list[Row]
    parts: list[Row]
    visits: list[Row]
    carts: list[Row]
    sign_ups: list[Row]
    emails: list[Row]
    talks: list[Row]
    complaints: list[Row]
    contacts: list[Row]
    answers: list[Row]
    enrolled: list[Row]
    referred: list[Row]
    persons: list[Row]
    consents: list[Row]

    def of(self, slice_: str, value: str) -> "Facts":
        """Only what lies there; facts that the slice does not speak of lie nowhere in it."""
        if slice_ == "category":  # of an order counts what lies in the category
            return replace(self, orders=[row for row in self.parts if row["category"] == value])
        always = {"consents"}
        if slice_ in ("channel", "purpose", "channel_purpose") and value != "unknown":
            always = {"persons"}  # of all customers, who may be reached there
        return Facts(
            **{
                field.name: [
                    row
                    for row in getattr(self, field.name)
                    if field.name in always or row.get(slice_) == value
                ]
                for field in fields(self)
            }
        )


_TABLES = {
    "orders": "select * from sales where is_completed",
    "refunds": "select * exclude (day), refunded_on as day from paid_back",
    "parts": "select * from parts",
    "visits": "select * from web_visits",
    "carts": "select * from cart_lives",
    "sign_ups": "select * from sign_ups",
    "emails": "select * from mailed",
    "talks": "select * from talks",
    "complaints": "select * from complaints",
    "contacts": "select * from contacts",
    "answers": "select * from answers_given",
    "enrolled": "select * from enrolled",
    "referred": "select * from referred",
    "persons": "select customer_id as customer, generation, gender, email_on, phone_on, "
    "account_on, cast(signed_up_at as date) as day from persons inner join first_shown using "
    "(customer_id) left join reached_by on reached_by.customer = customer_id "
    "left join accounts_held on accounts_held.customer = customer_id",
    "consents": "select * from reach_words",
}


_IN_ORDER = (
    facts_people.PERSONS,
    facts_shopping.SESSIONS,
    facts_shopping.ORDERS,
    facts_shopping.REFUNDS,
    facts_shopping.PARTS,
    facts_shopping.VISITS,
    facts_contact.EMAILS,
    facts_shopping.CARTS,
    facts_contact.TALKS,
    facts_people.SIGN_UPS,
    facts_contact.COMPLAINTS,
    facts_contact.CONTACTS,
    facts_contact.ANSWERS,
    facts_people.OTHERS,
)


def gather(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> Facts:
    """The facts, from the tables of `inputs` and `whose`."""
    for statements in _IN_ORDER:
        known = {"as_of": as_of} if "$as_of" in statements else None
        connection.execute(statements, known)
    return Facts(**{name: _rows(connection, sql) for name, sql in _TABLES.items()})


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    found = connection.execute(sql)
    names = [column[0] for column in found.description]
    return [dict(zip(names, values, strict=True)) for values in found.fetchall()]


def days_of(rows: list[Row]) -> dict[str, set[date]]:
    """The days of each known customer."""
    days: dict[str, set[date]] = {}
    for row in rows:
        if row["customer"]:
            days.setdefault(row["customer"], set()).add(row["day"])
    return days


def times_of(rows: list[Row]) -> dict[str, list[datetime]]:
    """When each known customer ordered."""
    times: dict[str, list[datetime]] = {}
    for row in rows:
        if row["customer"]:
            times.setdefault(row["customer"], []).append(row["ordered_at"])
    return times
