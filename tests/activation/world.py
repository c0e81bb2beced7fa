"""A shop in miniature and what ought to be true of it, told without any code of activation."""

import functools
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from activation_shop import AS_OF, Person, write_marts
from faulty_channels import VARIANTS, FaultyChannel, Platform
from one_life import Lives, copy_of

from activation.snapshot import Snapshot
from khach.environment import Environment

MINOR = "2015-06-01"
ADULT = "1995-03-08"
_TABLES = (
    "customers", "consents", "customer_identifiers", "customer_survivors", "customer_attributes",
    "segment_membership", "segments",
)  # fmt: skip


@dataclass
class World:
    """The shop, its platform and its published truth."""

    env: Environment
    lives: Lives
    platform: Platform
    variant: str
    channel: type[FaultyChannel]
    guards: dict[str, Any]
    on_enter: dict[str, Any]
    holdout: float = 0.0
    body: str = "{last_cart_item|cart}"
    offer: dict[str, Any] | None = None
    policy: dict[str, Any] = field(default_factory=dict)
    sync_ids: tuple[str, ...] = ("the_sync",)
    clock: datetime = AS_OF + timedelta(hours=9)
    persons: dict[str, Person] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    published: dict[str, Person] = field(default_factory=dict)
    published_merges: dict[str, str] = field(default_factory=dict)
    suppressed: set[str] = field(default_factory=set)
    snapshot_count: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def is_message(self) -> bool:
        return "message" in self.channel.capabilities.kinds

    # What people and the business do.

    def write_audience(self) -> None:
        sync: dict[str, Any] = {
            "channel": self.variant, "consent_channel": "email", "remote": {},
            "kind": "message" if self.is_message else "membership",
        }  # fmt: skip
        if self.is_message:
            sync |= {"on_enter": self.on_enter, "fields": {"body": self.body}}
            sync["send_window"] = "08:00-21:00"
        else:
            sync["fields"] = {"item": "last_cart_item"}
        content = {
            "name": "carts", "owner": "crm", "description": "Left a cart.", "purpose": "marketing",
            "where": "carts_abandoned_3d > 0", "min_age": 16, "holdout": self.holdout,
            "guards": self.guards, "syncs": [{"id": name, **sync} for name in self.sync_ids],
        }  # fmt: skip
        if self.offer:
            content["offer"] = self.offer
        path = self.env.config / "audiences" / "carts.yml"
        path.write_text(json.dumps(content), encoding="utf-8")

    def write_policy(self) -> None:
        content = {"suppression_list": "dnc.csv", **self.policy}
        (self.env.config / "policy.yml").write_text(json.dumps(content), encoding="utf-8")

    def write_suppressions(self) -> None:
        lines = ["channel,identifier", *(f"email,{one}" for one in sorted(self.suppressed))]
        (self.env.config / "dnc.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def wait(self, hours: float) -> None:
        self.clock += timedelta(hours=hours)
        self.write_clock()

    def write_clock(self) -> None:
        self.env.sandbox.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"now": f"{self.clock:%Y-%m-%dT%H:%M:%S}Z"})
        (self.env.sandbox / "clock.json").write_text(text, encoding="utf-8")

    def to_the_morning(self) -> None:
        """Ten in the morning in Ha Noi, the next there is."""
        morning = self.clock.replace(hour=3, minute=0, second=0)
        self.clock = morning if morning >= self.clock else morning + timedelta(days=1)
        self.write_clock()

    def publish(self, how: str = "whole") -> None:
        """A snapshot as of two hours ago: whole, empty, half of the people, red or old."""
        persons = list(self.persons.values())
        if how == "empty":
            persons = []
        elif how == "half":
            persons = persons[: len(persons) // 2]
        self.published = {person.customer_id: person for person in persons}
        self.published_merges = dict(self.merged)
        self.snapshot_count += 1
        as_of = self.clock - timedelta(hours=40 if how == "old" else 2)
        self.lives.tables = tables_of(persons, self.merged)
        self.lives.snapshot = Snapshot(
            f"s{self.snapshot_count:06}", as_of, how != "red", Path("nowhere")
        )

    def merge(self, gone: str, stays: str) -> None:
        """Two records were one person: the survivor holds what both held."""
        one, other = self.persons.pop(gone), self.persons[stays]
        emails = {one.email, *one.other_emails, *other.other_emails} - {None, other.email}
        consents = (one.consent, other.consent)
        self.persons[stays] = replace(
            other,
            email=other.email or one.email,
            other_emails=tuple(sorted(emails - {other.email or one.email})),
            consent=False if False in consents else (True if True in consents else None),
        )
        self.merged = {
            old: stays if now == gone else now for old, now in (self.merged | {gone: stays}).items()
        }

    def state(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the state file."""
        with self.lives.open_state() as state:
            return state.execute(sql).fetchall()

    # What ought to be.

    def keys(self, address: str, customers: set[str]) -> set[str]:
        """Under which key the platform may hold an address."""
        return {sha256(address), *customers}

    def holders(self, identifier: str) -> list[Person]:
        return [
            person for person in self.published.values()
            if identifier in (person.email, *person.other_emails)
        ]  # fmt: skip

    def may_contact(self, identifier: str, held_out: set[str]) -> str | None:
        """None, or why nobody may contact this address."""
        if not identifier or "@" not in identifier:
            return "not an address"
        for person in self.holders(identifier):
            if person.birth_date == MINOR:
                return "under age"
            if self.suppressed & {person.email, *person.other_emails}:
                return "suppressed"
            if person.consent is not True:
                return "no consent"
            if person.customer_id in held_out:
                return "held out"
        return None

    def refusing(self) -> set[str]:
        """Ids of those who refused or are suppressed, and the hashes of their addresses."""
        found: set[str] = set()
        for person in self.published.values():
            addresses = {person.email, *person.other_emails}
            if person.consent is False or self.suppressed & addresses:
                found |= {person.customer_id, *(sha256(one) for one in addresses if one)}
        return found

    def held_out(self) -> set[str]:
        """Who has been recorded as held out, under the id of today."""
        rows = self.state("select customer_id from holdouts where \"group\" = 'holdout'")
        return {self.published_merges.get(row[0], row[0]) for row in rows}

    def wanted(self, held_out: set[str]) -> dict[str, set[str]]:
        """Address to the customers who might carry it."""
        carriers: dict[str, set[str]] = defaultdict(set)
        for person in self.published.values():
            if person.carts and person.email and self.may_contact(person.email, held_out) is None:
                carriers[person.email].add(person.customer_id)
        return dict(carriers)

    def judge(self, action: str, row: Any, batch_id: str) -> None:
        """Called by the platform for each row of each request."""
        if action not in ("upsert", "message"):
            return
        customer_id, identifier = row.consent.customer_id, row.identifier
        person = self.published.get(customer_id)
        if person is None or not person.carts or person.email != identifier:
            self.violations.append(f"{customer_id} is in a request and not in the audience")
        elif why := self.may_contact(identifier, self.held_out()):
            self.violations.append(f"{customer_id} is in a request: {why}")
        if action == "message":
            self._judge_repetition(row, batch_id)

    def _judge_repetition(self, row: Any, batch_id: str) -> None:
        cool_down = timedelta(days=self.on_enter["cool_down_days"])
        for told in self.platform.deliveries:
            is_repeat = (told.batch_id, told.row_id) == (batch_id, row.row_id)
            if is_repeat and self.channel.capabilities.is_idempotent:
                continue
            is_same = self.published_merges.get(told.customer_id, told.customer_id) == (
                row.consent.customer_id
            )
            if told.row_id == row.row_id:
                self.violations.append(f"{row.row_id} is sent again")
            if (is_same or told.identifier == row.identifier) and self.clock - told.at < cool_down:
                self.violations.append(f"{row.consent.customer_id} is told again too soon")


def sha256(text: str) -> str:
    """As the product hashes identifiers."""
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def schemas() -> dict[str, pa.Schema]:
    """The shapes of the marts, as the other tests of this room write them."""
    with duckdb.connect(config={"threads": 1}) as marts:
        write_marts(marts, [])
        return {name: marts.table(name).to_arrow_table().schema for name in _TABLES}


def tables_of(persons: list[Person], merged: dict[str, str]) -> dict[str, pa.Table]:
    """The marts of these people as Arrow tables."""
    emails = {p: sorted({*filter(None, [p.email]), *p.other_emails}) for p in persons}
    rows: dict[str, list[dict[str, Any]]] = {
        "customers": [
            {"customer_id": p.customer_id, "email": p.email, "last_cart_item": p.item,
             "carts_abandoned_3d": p.carts, "birth_date": date.fromisoformat(str(p.birth_date))}
            for p in persons
        ],
        "consents": [
            {"consent_id": f"k-{p.customer_id}", "customer_id": p.customer_id, "channel": "email",
             "purpose": "marketing", "is_granted": p.consent, "granted_at": AS_OF,
             "withdrawn_at": None if p.consent else AS_OF + timedelta(hours=1)}
            for p in persons if p.consent is not None
        ],
        "customer_identifiers": [
            {"customer_id": p.customer_id, "identifier_type": "email", "identifier_value": email}
            for p in persons for email in emails[p]
        ],
        "customer_survivors": [
            {"customer_id": old, "current_customer_id": now} for old, now in sorted(merged.items())
        ],
    }  # fmt: skip
    return {
        name: pa.Table.from_pylist(rows.get(name, []), schema=schema)
        for name, schema in schemas().items()
    }


def make_world(folder: Path, project: Path, template: Path, variant: str, **given: Any) -> World:
    """An empty shop with one sync to a new platform of this kind."""
    env = Environment("sandbox", folder / "home", folder / "config", folder, project)
    (env.config / "audiences").mkdir(parents=True)
    (env.config / "settings.yml").write_text("minimum_age: 16\n", encoding="utf-8")
    lives = copy_of(template, env.state)
    platform = Platform(boundary=lives.boundary)
    world = World(env, lives, platform, variant, VARIANTS[variant], **given)
    platform.now, platform.judge = (lambda: world.clock), world.judge
    world.channel.platform = platform
    world.write_audience()
    world.write_policy()
    world.write_suppressions()
    world.write_clock()
    return world
