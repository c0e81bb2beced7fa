"""One sync's part of `khach why`: what its reason code means for this very customer."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb

from activation.evaluation import Evaluation
from activation.identifiers import IDENTIFIERS, holders_sql, normal_sql
from activation.why_words import Record, local, reason_text

_HELD = "select sync_id, customer_id, acknowledged_at from sync_acknowledged where sync_id = $sync"
_LAST_PLAN = (
    "select plan_id, sync_id, status, blocked_by, accepted_by, created_at from sync_plans "
    "where sync_id = $sync order by created_at desc, plan_id desc limit 1"
)

_LAST_RECEIPT = (
    "select receipt_id, sync_id, action, status, vendor_code, vendor_message, attempted_at "
    "from sync_receipts where sync_id = $sync and list_contains($holders, customer_id) "
    "order by attempted_at desc, receipt_id desc limit 1"
)


@dataclass(frozen=True)
class SyncAnswer:
    """Whether the customer goes out with a sync, in words, and the rows behind it by table."""

    sync_id: str
    channel: str
    reason_code: str | None
    text: str
    rows: dict[str, list[Record]]

    @property
    def is_in(self) -> bool:
        """Whether nothing keeps them out."""
        return self.reason_code is None

    def as_row(self) -> Record:
        """The row of `syncs`."""
        return {
            "sync_id": self.sync_id, "channel": self.channel, "is_in": self.is_in,
            "reason_code": self.reason_code or "member", "why": self.text,
        }  # fmt: skip


def records(connection: duckdb.DuckDBPyConnection, sql: str, values: Record) -> list[Record]:
    """Rows of a query with named parameters, as dictionaries."""
    cursor = connection.execute(sql, {name: v for name, v in values.items() if f"${name}" in sql})
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def sync_answer(
    evaluation: Evaluation,
    state: duckdb.DuckDBPyConnection,
    customer_id: str,
    taken: list[str],
    zone: ZoneInfo,
) -> SyncAnswer:
    """Why a candidate goes out with this sync or not. `taken`: audiences that go first."""
    connection, sync = evaluation.connection, evaluation.sync
    asked: Record = {
        "id": customer_id, "channel": sync.consent, "purpose": evaluation.audience.purpose,
        "sync": sync.id, "audience": evaluation.audience.name, "zone": zone,
    }  # fmt: skip
    [candidate] = records(
        connection,
        "select desired.reason_code, desired.identifier_hash, desired.consent_id, "
        "candidate.is_minor from desired inner join candidate using (customer_id) "
        "where customer_id = $id",
        asked,
    )
    asked |= {"hash": candidate["identifier_hash"], "consent_id": candidate["consent_id"]}
    asked["is_minor"] = candidate["is_minor"]
    sharers = _sharers(evaluation, customer_id)
    asked["holders"] = [customer_id, *(row["customer_id"] for row in sharers)]
    rows = {
        "consents": records(
            connection,
            "select consent_id, customer_id, channel, purpose, is_granted, granted_at, "
            "withdrawn_at, evidence_source, evidence_id from consents where channel = $channel "
            "and purpose = $purpose and list_contains($holders, customer_id) order by all",
            asked,
        ),
        "shared_with": sharers,
        "holdouts": records(
            state,
            'select customer_id, "group", assigned_at from holdouts where audience = $audience '
            "and list_contains($holders, customer_id) order by all",
            asked,
        ),
    }
    code = candidate["reason_code"]
    if code is None:
        text, more = (_message if sync.is_message else _sent)(evaluation, state, asked)
        rows |= more
    else:
        text = f"out, {reason_text(code, asked, rows, taken)}"
        still, more = still_held(state, sync.id, customer_id)
        text, rows = text + still, rows | more
    rows = {table: found for table, found in rows.items() if found}
    return SyncAnswer(sync.id, sync.channel, code, text, rows)


def still_held(
    state: duckdb.DuckDBPyConnection, sync_id: str, customer_id: str
) -> tuple[str, dict[str, list[Record]]]:
    """Who is out may be in the channel's list all the same: a guard holds the removal, or no plan
    has been carried out since. Empty when the channel does not hold them.
    """
    asked = {"sync": sync_id, "holders": [customer_id]}
    held = records(state, f"{_HELD} and list_contains($holders, customer_id)", asked)
    if not held:
        return "", {}
    plans = records(state, _LAST_PLAN, asked)
    why = "no plan without them has been carried out"
    if plans and plans[0]["status"] == "blocked":
        guards = plans[0]["blocked_by"].replace(",", " and ")
        why = f"the plan {plans[0]['plan_id']} is held by {guards}"
    return f", yet still in the list because {why}", {"acknowledged": held, "plans": plans}


def _sharers(evaluation: Evaluation, customer_id: str) -> list[Record]:
    """Other customers who hold what this one would be reached by; no value is shown."""
    identifier = IDENTIFIERS[evaluation.sync.consent]
    own = " union ".join(
        [
            "select identifier from candidate where customer_id = $id",
            *(
                f"select {normal_sql(column, kind)} from customers where customer_id = $id"
                for kind, column in identifier.columns.items()
            ),
        ]
    )
    return records(
        evaluation.connection,
        f"""
        select distinct
            held.customer_id,
            coalesce(is_minor(birth_date, birth_year), false) as is_minor,
            coalesce(permission.is_granted, false) as is_granted,
            held.customer_id in (select customer_id from desired where reason_code is null)
                as carries_it
        from ({holders_sql(identifier)}) as held
        left join customers on held.customer_id = customers.customer_id
        left join permission on held.customer_id = permission.customer_id
        where held.customer_id <> $id and identifier <> '' and identifier in ({own})
        order by all
        """,
        {"id": customer_id},
    )


def _message(
    evaluation: Evaluation, state: duckdb.DuckDBPyConnection, asked: Record
) -> tuple[str, dict[str, list[Record]]]:
    """They may get a message: what became of the last one, and whether another is due."""
    last = records(
        state,
        "select sync_id, customer_id, entry_id, status, sent_at, settled_at from messages "
        "where sync_id = $sync and list_contains($holders, customer_id) "
        "order by sent_at desc, entry_id limit 1",
        asked,
    )
    [due] = records(
        evaluation.connection,
        "select action, entered_at from difference where customer_id = $id", asked,
    )  # fmt: skip
    plans = records(state, _LAST_PLAN, asked)
    receipts = records(state, _LAST_RECEIPT, asked)
    rows = {"messages": last, "plans": plans, "receipts": receipts}
    told = f"in, with the consent {asked['consent_id']}, since {_local(due, 'entered_at', asked)}"
    if last:
        told += (
            f"; their last message, of {_local(last[0], 'sent_at', asked)}, is {last[0]['status']}"
        )
    if due["action"] == "message":
        if plans and plans[0]["status"] == "blocked":
            guards = plans[0]["blocked_by"].replace(",", " and ")
            return f"{told}; one is due, the plan {plans[0]['plan_id']} is held by {guards}", rows
        told += "; one is due and goes out with the next plan"
        if receipts and receipts[0]["status"] not in ("acknowledged", "sent"):
            told += f" (last tried: {receipts[0]['status']}, {receipts[0]['vendor_code']})"
        return told, rows
    rule = evaluation.sync.on_enter
    limits = f"{rule.cool_down_days} days of rest, {rule.valid_for_hours:g} hours" if rule else ""
    return f"{told}; none is due now (once per entry, {limits} after it)", rows


def _local(row: Record, name: str, asked: Record) -> str:
    return local(row[name], asked["zone"])


def _sent(
    evaluation: Evaluation, state: duckdb.DuckDBPyConnection, asked: Record
) -> tuple[str, dict[str, list[Record]]]:
    """They go out: whether they have, and if not, what holds them back."""
    held = records(state, f"{_HELD} and identifier_hash = $hash", asked)
    plans = records(state, _LAST_PLAN, asked)
    receipts = records(state, _LAST_RECEIPT, asked)
    rows = {"acknowledged": held, "plans": plans, "receipts": receipts}
    del evaluation  # a list's member needs no more than state knows
    told = f"in, with the consent {asked['consent_id']}"
    last = receipts[0] if receipts else None
    if held:
        told += f", confirmed by the channel on {local(held[0]['acknowledged_at'], asked['zone'])}"
    elif plans and plans[0]["status"] == "blocked":
        guards = plans[0]["blocked_by"].replace(",", " and ")
        told += f", not sent yet because the plan {plans[0]['plan_id']} is held by {guards}"
    elif last and last["action"] != "remove" and last["status"] != "acknowledged":
        code = f" ({last['vendor_code']})" if last["vendor_code"] else ""
        told += f", yet the channel has not taken them: {last['status']}{code}"
    else:
        told += ", not sent yet because no plan with them has been carried out"
    return told, rows
