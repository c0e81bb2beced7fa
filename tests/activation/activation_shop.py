"""A small published shop: marts with the columns of docs/marts.md, audience files, a platform."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import yaml

from khach.environment import Environment
from khach.state import open_state
from sandbox.mailchimp import store

AS_OF = datetime(2026, 6, 28, 17)  # noqa: DTZ001 - naive UTC, as stored
CUSTOMERS = {
    "customer_id": "varchar", "first_seen_at": "timestamp", "full_name": "varchar",
    "given_name": "varchar", "salutation_name": "varchar", "email": "varchar",
    "phone_e164": "varchar", "birth_date": "date", "birth_year": "integer",
    "generation": "varchar", "province": "varchar", "loyalty_tier": "varchar",
    "order_count": "bigint", "net_revenue_amount": "decimal(18,4)", "last_order_at": "timestamp",
    "last_cart_at": "timestamp", "last_cart_item": "varchar", "carts_abandoned_3d": "bigint",
    "orders_since_cart": "bigint", "is_test": "boolean",
}  # fmt: skip
AUDIENCE = """\
name: cart_abandoners
owner: crm
description: Left a cart.
where: carts_abandoned_3d > 0 and orders_since_cart = 0
purpose: marketing
min_age: 16
priority: 20
holdout: 0
syncs:
  - id: cart_email
    kind: membership
    channel: mailchimp
    remote: {list: MAILCHIMP_LIST_ID, tag: cart-abandoner}
    mode: mirror
    fields: {GREETING: salutation_name, LASTITEM: last_cart_item}
    cadence: daily
  - id: cart_file
    kind: membership
    channel: file_drop
    consent_channel: email
    remote: {folder: CART_DROP_FOLDER, format: csv}
    fields: {salutation_name: salutation_name}
guards: {max_removal_share: 0.5, max_change_share: 1.0, max_input_age_hours: 1000000}
examples:
  - {carts_abandoned_3d: 1, orders_since_cart: 0, in: true}
  - {carts_abandoned_3d: 1, orders_since_cart: 1, in: false}
"""


@dataclass(frozen=True)
class Person:
    """A customer and their consent for marketing by e-mail (None: no row)."""

    customer_id: str
    email: str | None = None
    consent: bool | None = True
    salutation: str = "chị Lan"
    item: str = "Giày Khách 1"
    carts: int = 1
    orders_since: int = 0
    birth_date: str | None = "1995-03-08"
    birth_year: int | None = None
    other_emails: tuple[str, ...] = ()
    unlinked_emails: tuple[str, ...] = ()
    is_test: bool = False


def people(count: int) -> list[Person]:
    """Distinct customers who all consent and all abandoned a cart."""
    return [Person(f"c{i:04}", f"person{i:04}@example.vn") for i in range(count)]


@dataclass
class Shop:
    """An installation with a published snapshot and one list at the e-mail platform."""

    env: Environment
    platform: Path
    list_id: str
    variables: dict[str, str]

    def audience(self, text: str = AUDIENCE, **changes: Any) -> None:
        """Write an audience file; keyword arguments replace top-level keys."""
        data = yaml.safe_load(text) | changes
        folder = self.env.config / "audiences"
        folder.mkdir(exist_ok=True)
        body = text if not changes else yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        (folder / f"{data['name']}.yml").write_text(body, encoding="utf-8")

    def publish(self, persons: list[Person], *, is_green: bool = True, day: int = 0) -> None:
        """Publish a snapshot with exactly these people."""
        snapshot_id = f"s{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        folder = self.env.published / snapshot_id
        folder.mkdir(parents=True)
        with duckdb.connect(str(folder / "marts.duckdb")) as marts:
            write_marts(marts, persons)
        (folder / "snapshot.json").write_text("{}\n")
        as_of = AS_OF + timedelta(days=day)
        with open_state(self.env) as state:
            state.execute(
                "insert into snapshots values (?, 'r1', ?, ?, ?)",
                [snapshot_id, as_of, as_of, is_green],
            )
        link = self.env.published / "link"
        link.symlink_to(snapshot_id)
        link.replace(self.env.current)

    def state(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows from the state file."""
        with open_state(self.env) as state:
            return state.execute(sql, list(values)).fetchall()

    def remote(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows from the platform's own books, of this shop's list ($list)."""
        with sqlite3.connect(store.database(self.platform)) as connection:
            return connection.execute(sql, {"list": self.list_id}).fetchall()

    def members(self) -> set[tuple[str, str, str]]:
        """(address, status, merge fields) of the list's members that carry the tag."""
        return set(
            self.remote(
                "select m.email_address, m.status, m.merge_fields from members m "
                "join member_tags t using (list_id, member_id) where m.list_id = $list"
            )
        )

    def addresses(self) -> set[str]:
        """Addresses of the members that carry the tag."""
        return {row[0] for row in self.members()}

    def effects(self, kind: str) -> list[str]:
        """Member ids of the platform's effects of one kind, in order."""
        rows = self.remote("select member_id, effect from effects where list_id = $list")
        return [member for member, effect in rows if effect == kind]


def write_marts(marts: duckdb.DuckDBPyConnection, persons: Iterable[Person]) -> None:
    """Create the marts of these people; the first is in segment `vip`."""
    columns = ", ".join(f"{name} {kind}" for name, kind in CUSTOMERS.items())
    marts.execute(f"create table customers ({columns})")
    marts.execute(
        "create table consents (consent_id varchar, customer_id varchar, channel varchar, "
        "purpose varchar, is_granted boolean, granted_at timestamp, withdrawn_at timestamp, "
        "evidence_source varchar, evidence_id varchar, text_version varchar)"
    )
    marts.execute(
        "create table customer_identifiers (customer_id varchar, identifier_type varchar, "
        "identifier_value varchar, source varchar, first_seen_at timestamp, "
        "last_seen_at timestamp, valid_from timestamp, valid_to timestamp)"
    )
    marts.execute(
        "create table customer_survivors (customer_id varchar, current_customer_id varchar)"
    )
    marts.execute(
        "create table customer_attributes (customer_id varchar, attribute varchar, value varchar)"
    )
    marts.execute(
        "create table segment_membership (segment_id varchar, customer_id varchar, "
        "valid_from timestamp, valid_to timestamp)"
    )
    marts.execute(
        "create table interactions (interaction_id varchar, customer_id varchar, channel varchar, "
        "direction varchar, kind varchar, initiated_by varchar, occurred_at timestamp, "
        "campaign_id varchar)"
    )
    marts.execute("create table segments as select 'province_ha_noi' as segment_id")
    marts.execute(
        "insert into segment_membership values ('occupation_cook', 'gone', ?, ?)", [AS_OF, AS_OF]
    )
    for number, person in enumerate(persons):
        _write_person(marts, person)
        if number == 0:
            marts.execute(
                "insert into segment_membership values ('vip', ?, ?, null)",
                [person.customer_id, AS_OF],
            )


def _write_person(marts: duckdb.DuckDBPyConnection, person: Person) -> None:
    marts.execute(
        "insert into customers (customer_id, email, salutation_name, last_cart_item, "
        "carts_abandoned_3d, orders_since_cart, birth_date, birth_year, is_test) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [person.customer_id, person.email, person.salutation, person.item, person.carts,
         person.orders_since, person.birth_date, person.birth_year, person.is_test],
    )  # fmt: skip
    for email in person.unlinked_emails:
        marts.execute(
            "insert into customer_attributes values (?, 'email', ?)", [person.customer_id, email]
        )
    for email in sorted({*filter(None, [person.email]), *person.other_emails}):
        marts.execute(
            "insert into customer_identifiers values (?, 'email', ?, 'web', ?, ?, ?, null)",
            [person.customer_id, email, AS_OF, AS_OF, AS_OF],
        )
    if person.consent is not None:
        withdrawn = None if person.consent else AS_OF
        marts.execute(
            "insert into consents values (?, ?, 'email', 'marketing', ?, ?, ?, 'web', 'e', 'v1')",
            [f"k-{person.customer_id}", person.customer_id, person.consent,
             AS_OF - timedelta(days=9), withdrawn],
        )  # fmt: skip


def write_contract(project: Path) -> None:
    """The dbt contracts of `customers` and `customer_behaviours`, and the segment `vip`."""
    folder = project / "dbt_project" / "models" / "marts"
    folder.mkdir(parents=True)
    behaviours = {"customer_id": "varchar", "referral_count": "integer"}
    contracts = {"customers": CUSTOMERS, "customer_behaviours": behaviours}
    content = {
        "models": [
            {"name": model, "columns": [{"name": n, "data_type": k} for n, k in columns.items()]}
            for model, columns in contracts.items()
        ]
    }
    (folder / "customers.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    seeds = project / "dbt_project" / "seeds"
    seeds.mkdir()
    seed = "segment_id,segment_kind\nvip,\ngender_female,gender\n"
    (seeds / "segment_definitions.csv").write_text(seed, encoding="utf-8")
