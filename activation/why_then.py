"""Why a customer was in an audience or not on an earlier day: from what was recorded of it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import duckdb

from activation.audience_file import Sync
from activation.audiences import load_audiences
from activation.snapshot import Snapshot, current_snapshot, open_marts
from activation.why import Why
from activation.why_records import Record, local, records
from khach.environment import Environment
from khach.settings import load_settings
from khach.state import open_state

# What the reason codes of the past mean; the rows of that day are gone, the words stay general.
_THEN = {
    "member": "in",
    "under_age": "out: too young, or somebody with the same address is",
    "suppressed": "out: on the suppression list",
    "consent_withdrawn": "out: the consent was withdrawn",
    "no_consent": "out: no consent",
    "no_identifier": "out: nothing to reach them by",
    "invalid_identifier": "out: the address or number is not valid",
    "lower_priority_audience": "out: an audience that goes first took them",
    "holdout": "out: held out, to measure the effect",
    "duplicate_identifier": "out: another customer with the same address or number carries it",
}


def explain_at(env: Environment, customer_id: str, name: str, day: date) -> Why:
    """What was recorded of them at the end of a business day, under every id they had.

    A snapshot that ends with the day belongs to it; one of two o'clock at night to the next.
    Raises ConfigError for an unknown audience, KhachError when nothing is published.
    """
    audience = load_audiences(env).find(name)
    zone = ZoneInfo(load_settings(env).business_time_zone)
    end = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
    at = end.astimezone(UTC).replace(tzinfo=None)
    with open_state(env) as state:
        snapshot = current_snapshot(env, state)
        ids = _every_id(snapshot, customer_id)
        intervals = records(
            state,
            "select sync_id, customer_id, reason_code, valid_from, valid_to "
            "from audience_membership where audience = $audience and customer_id in $ids "
            "and valid_from <= $at and (valid_to is null or valid_to > $at) order by all",
            {"audience": name, "ids": ids, "at": at},
        )
        plans = records(
            state,
            "select sync_id, plan_id, status, blocked_by, accepted_by, as_of from sync_plans "
            "where audience = $audience and as_of <= $at and started_at is not null "
            "qualify row_number() over (partition by sync_id order by as_of desc, plan_id desc) = 1"
            " order by sync_id",
            {"audience": name, "at": at},
        )
    told = "; ".join(_then(sync, intervals, plans, zone) for sync in audience.syncs)
    is_in = {
        sync.id: any(
            row["sync_id"] == sync.id and row["reason_code"] == "member" for row in intervals
        )
        for sync in audience.syncs
    }
    sentence = f"At the end of {day}, as recorded, {customer_id} was, of {name}: {told}."
    return Why(customer_id, name, sentence, is_in, {"intervals": intervals, "plans": plans})


def _every_id(snapshot: Snapshot, customer_id: str) -> list[str]:
    """The id and those that were merged into it, under which the past may be recorded."""
    with open_marts(snapshot) as connection:
        try:
            merged = connection.execute(
                "select customer_id from customer_survivors where current_customer_id = ?",
                [customer_id],
            ).fetchall()
        except duckdb.CatalogException:  # a snapshot of an older release
            merged = []
    return sorted({customer_id, *(str(row[0]) for row in merged)})


def _then(sync: Sync, intervals: list[Record], plans: list[Record], zone: ZoneInfo) -> str:
    """One sync's part of the sentence about an earlier day."""
    found = [row for row in intervals if row["sync_id"] == sync.id]
    if found:
        told = " and ".join(
            f"{_THEN[row['reason_code']]} since {local(row['valid_from'], zone)}" for row in found
        )
        return f"{sync.id} {told}"
    if any(plan["sync_id"] == sync.id for plan in plans):
        return f"{sync.id} out: the rule did not mean them (no interval of membership)"
    return f"{sync.id} out: no plan of it had been carried out by then"
