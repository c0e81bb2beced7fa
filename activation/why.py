"""Why a customer is in an audience or not: one sentence, and the rows behind it.

Personal data (the customer's own values) stands in the answer: for the operator's own terminal.
"""

from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from activation.audience_file import Audience, Sync
from activation.audiences import Book, load_audiences
from activation.desired import membership_sql
from activation.evaluation import Evaluation, evaluate
from activation.rules import rule_parts, set_as_of
from activation.snapshot import current_snapshot, open_marts
from activation.why_reasons import SyncAnswer, sync_answer
from activation.why_records import Record, records
from activation.why_sent import still_held
from khach.environment import Environment
from khach.settings import load_settings
from khach.state import open_state


@dataclass(frozen=True)
class Why:
    """The answer: one sentence, and what it rests on.

    `is_in`: per sync, whether the customer goes out (now), or was recorded as member (then).
    `rows`: rule (condition, holds, values), then tables by name.
    """

    customer_id: str
    audience: str
    sentence: str
    is_in: dict[str, bool]
    rows: dict[str, list[Record]]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def explain(env: Environment, customer_id: str, name: str) -> Why:
    """Why a living customer is in an audience now or not, over the current snapshot.

    Raises ConfigError for an unknown audience, KhachError when nothing is published.
    """
    book = load_audiences(env)
    audience = book.find(name)
    with open_state(env) as state:
        snapshot = current_snapshot(env, state)
    with open_marts(snapshot) as connection:
        set_as_of(connection, snapshot.as_of)
        rule = _rule_rows(connection, book, audience, customer_id)
        taken = _taken_by(connection, book, audience, customer_id)
    if failed := _failed(rule):
        return _out_by_rule(env, audience, customer_id, failed, rule)
    answers = [_of_sync(env, customer_id, sync, taken) for sync in audience.syncs]
    told = "; ".join(f"{answer.sync_id}: {answer.text}" for answer in answers)
    rows = {"rule": rule, "syncs": [answer.as_row() for answer in answers]}
    for answer in answers:
        _add(rows, answer.rows)
    sentence = f"{customer_id} matches the rule of {name}; {told}."
    return Why(
        customer_id, name, sentence, {answer.sync_id: answer.is_in for answer in answers}, rows
    )


def _out_by_rule(
    env: Environment, audience: Audience, customer_id: str, failed: str, rule: list[Record]
) -> Why:
    sentence, rows = f"{customer_id} is not in {audience.name}: {failed}", {"rule": rule}
    with open_state(env) as state:
        for sync in audience.syncs:
            still, more = still_held(state, sync.id, customer_id)
            sentence += f"; {sync.id}{still}" if still else ""
            _add(rows, more)
    is_in = {sync.id: False for sync in audience.syncs}
    return Why(customer_id, audience.name, f"{sentence}.", is_in, rows)


def _add(rows: dict[str, list[Record]], more: dict[str, list[Record]]) -> None:
    """Rows by table, each once: two syncs may rest on the same consent."""
    for table, found in more.items():
        known = rows.setdefault(table, [])
        known += [row for row in found if row not in known]


def _rule_rows(
    connection: duckdb.DuckDBPyConnection, book: Book, audience: Audience, customer_id: str
) -> list[Record]:
    """Each condition, exclusion and the test flag: condition, holds, values."""
    conditions: list[tuple[str, str, tuple[str, ...]]] = [
        (part.text, f"({part.sql}) is true", part.columns)
        for part in (rule_parts(audience.where) if audience.where else ())
    ]
    if audience.model is not None:
        sql = f"customer_id in (select customer_id from {audience.model})"
        conditions.append((f"a row of {audience.model}", sql, ()))
    for other in audience.exclude:
        # The other's own rule; what it excludes itself does not matter here.
        rule = membership_sql(book, book[other].model_copy(update={"exclude": []}))
        conditions.append((f"not in {other}", f"not ({rule})", ()))
    conditions.append(("no test account", "is_test is not true", ()))
    rows = []
    for text, sql, columns in conditions:
        found = records(
            connection,
            f"select ({sql}) as holds{''.join(', ' + column for column in columns)} "
            "from customers where customer_id = $id",
            {"id": customer_id},
        )[0]
        rows.append({"condition": text, "holds": found.pop("holds"), "values": found})
    return rows


def _failed(rule: list[Record]) -> str:
    """The conditions that do not hold, with the values they met; empty when all hold."""
    told = []
    for row in rule:
        if row["holds"]:
            continue
        values = ", ".join(
            f"{name} is {'unknown' if value is None else value}"
            for name, value in row["values"].items()
        )
        told.append(f"`{row['condition']}` does not hold{f' ({values})' if values else ''}")
    return " and ".join(told)


def _taken_by(
    connection: duckdb.DuckDBPyConnection, book: Book, audience: Audience, customer_id: str
) -> dict[str, list[str]]:
    """Per channel, the audiences that go first and mean this customer."""
    taken: dict[str, list[str]] = {}
    for other in book.values():
        if (
            other.priority >= audience.priority
            or not connection.execute(
                f"select 1 from customers where customer_id = ? and {membership_sql(book, other)}",
                [customer_id],
            ).fetchall()
        ):
            continue
        for channel in {sync.channel for sync in other.syncs}:
            taken.setdefault(channel, []).append(other.name)
    return taken


def _of_sync(
    env: Environment, customer_id: str, sync: Sync, taken: dict[str, list[str]]
) -> SyncAnswer:
    with evaluate(env, sync.id, needs_remote=False) as evaluation:
        return _answer(env, evaluation, customer_id, taken.get(sync.channel, []))


def _answer(
    env: Environment, evaluation: Evaluation, customer_id: str, taken: list[str]
) -> SyncAnswer:
    with open_state(env) as state:
        zone = ZoneInfo(load_settings(env).business_time_zone)
        return sync_answer(evaluation, state, customer_id, taken, zone)
