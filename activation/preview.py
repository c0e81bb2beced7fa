"""How big an audience is and what it would do to people: reach, overlap, contacts, cost.

Over the current snapshot; needs no channel, sends and stores nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import duckdb

from activation.audience_file import Audience, Sync
from activation.audiences import Book, load_audiences
from activation.desired import REASONS, membership_sql
from activation.evaluation import evaluate
from activation.matches import MatchRate, newest_matches
from activation.rules import set_as_of
from activation.snapshot import current_snapshot, open_marts
from khach.environment import Environment
from khach.settings import load_settings
from khach.state import open_state

# The most contacts a week that a list can cause: one at each refresh, never more than one a day.
_REFRESHES = {"hourly": 7.0, "daily": 7.0, "weekly": 1.0}
_DAYS = 7


@dataclass(frozen=True)
class Overlap:
    """How many of this audience's people another audience means as well; a share of this one."""

    audience: str
    people: int
    share: float


@dataclass(frozen=True)
class Received:
    """What the business sent to this audience's people on one channel in the last 7 days."""

    channel: str
    contacts: int
    people: int


@dataclass(frozen=True)
class Contacts:
    """Contacts per person and week. `would_add`: at the most, per sync, for a person it reaches.

    `received`: what people of the audience really got in the 7 days before the snapshot's end, as
    `interactions` has it; `received_per_person` over all of them, `most_received` by one of them.
    """

    would_add: dict[str, float]
    received: list[Received]
    received_per_person: float
    most_received: int


@dataclass(frozen=True)
class Cost:
    """What contacting everyone a sync reaches once would cost.

    `unit` is the key of settings.unit_costs that prices it; all null when none does.
    """

    unit: str | None
    unit_cost_amount: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True)
class Preview:
    """How big an audience is: candidates, and per sync who would go out and who stays out why."""

    audience: str
    size: int
    reach: dict[str, int]
    reasons: dict[str, dict[str, int]]
    overlap: list[Overlap]
    contacts: Contacts
    costs: dict[str, Cost]
    matches: dict[str, MatchRate]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """A few lines for people."""
        lines = [f"{self.audience}: {self.size:,} match the rule"]
        for sync, reach in self.reach.items():
            lines.append(f"  {sync}: reaches {reach:,}")
            lines += [f"    {reason} {count:,}" for reason, count in self.reasons[sync].items()]
            cost, most = self.costs[sync], self.contacts.would_add[sync]
            told = "unknown (settings.yml, unit_costs)"
            if cost.amount is not None:
                told = f"{cost.amount:,.0f} ({cost.unit_cost_amount:,f} each, {cost.unit})"
            lines.append(f"    at most {most:.1f} contacts per person and week; once each: {told}")
            if sync in self.matches:
                lines.append(f"    {self.matches[sync].text()}")
        lines.append(
            f"  received in the last {_DAYS} days: {self.contacts.received_per_person:.2f} per "
            f"person, at most {self.contacts.most_received:,}"
        )
        lines += [
            f"    {one.channel} {one.contacts:,} to {one.people:,} people"
            for one in self.contacts.received
        ]
        lines += ["  also in"] if self.overlap else []
        lines += [f"    {one.audience} {one.people:,} ({one.share:.0%})" for one in self.overlap]
        return "\n".join(lines)


def preview(env: Environment, name: str) -> Preview:
    """Size, reach, overlap, contacts and cost of an audience over the current snapshot.

    Raises ConfigError for an unknown audience or a mistake in a file, KhachError when nothing is
    published.
    """
    book = load_audiences(env)
    audience = book.find(name)
    reach, reasons = {}, {}
    for sync in audience.syncs:
        with evaluate(env, sync.id, needs_remote=False) as evaluation:
            found = evaluation.reasons()
            reasons[sync.id] = {reason: found[reason] for reason in REASONS if reason in found}
            reach[sync.id] = evaluation.member_count()
    with open_state(env) as state:
        snapshot = current_snapshot(env, state)
        matches = newest_matches(state, reach)
    with open_marts(snapshot) as connection:
        set_as_of(connection, snapshot.as_of)
        overlap = _overlap(connection, book, audience)
        size = _build_people(connection, book, audience)
        contacts = _contacts(connection, audience, size)
    unit_costs = load_settings(env).unit_costs
    costs = {sync.id: _cost(sync, reach[sync.id], unit_costs) for sync in audience.syncs}
    return Preview(name, size, reach, reasons, overlap, contacts, costs, matches)


def _overlap(
    connection: duckdb.DuckDBPyConnection, book: Book, audience: Audience
) -> list[Overlap]:
    """The others that share somebody, the largest first; by rule, whatever the channels permit."""
    others = [other for other in book.values() if other.name != audience.name]
    counts = ", ".join(f"count(*) filter ({membership_sql(book, other)})" for other in others)
    row = connection.execute(
        f"select count(*){', ' if others else ''}{counts} from customers "
        f"where {membership_sql(book, audience)} and is_test is not true"
    ).fetchall()[0]
    found = [
        Overlap(other.name, people, people / row[0])
        for other, people in zip(others, row[1:], strict=True)
        if people
    ]
    return sorted(found, key=lambda one: (-one.people, one.audience))


def _build_people(connection: duckdb.DuckDBPyConnection, book: Book, audience: Audience) -> int:
    """`people`: customer_id of everyone the rule means; how many they are."""
    made = connection.execute(
        "create temp table people as select customer_id from customers "
        f"where {membership_sql(book, audience)} and is_test is not true"
    )
    return int(made.fetchall()[0][0])


def _contacts(connection: duckdb.DuckDBPyConnection, audience: Audience, size: int) -> Contacts:
    received = connection.execute(
        f"""
        create temp table received as
        select customer_id, channel, count(*) as contacts
        from interactions
        where initiated_by = 'business' and kind in ('message', 'call')
            and occurred_at > getvariable('as_of') - interval {_DAYS} day
            and occurred_at <= getvariable('as_of')
            and customer_id in (select customer_id from people)
        group by customer_id, channel;
        select channel, sum(contacts)::bigint, count(*) from received group by 1 order by 2 desc, 1
        """
    ).fetchall()
    most = connection.execute(
        "select coalesce(max(contacts), 0) from "
        "(select sum(contacts)::bigint as contacts from received group by customer_id)"
    ).fetchall()[0][0]
    total = sum(contacts for _, contacts, _ in received)
    return Contacts(
        would_add={sync.id: _most_contacts(sync) for sync in audience.syncs},
        received=[Received(*row) for row in received],
        received_per_person=total / size if size else 0.0,
        most_received=most,
    )


def _most_contacts(sync: Sync) -> float:
    """A week's contacts that a sync causes to one person, at the most; an ad is none."""
    if sync.consent == "ads":
        return 0.0
    cool_down = sync.on_enter.cool_down_days if sync.on_enter is not None else 0
    return min(_REFRESHES[sync.cadence], _DAYS / cool_down if cool_down else _DAYS)


def _cost(sync: Sync, reach: int, unit_costs: Mapping[str, Decimal]) -> Cost:
    """By the kind of the touch, else by its channel, as the marts price interactions."""
    kind = {"phone": "call", "ads": None}.get(sync.consent, "message")
    unit = next((unit for unit in (kind, sync.consent) if unit in unit_costs), None)
    if unit is None:
        return Cost(None, None, None)
    return Cost(unit, unit_costs[unit], unit_costs[unit] * reach)
