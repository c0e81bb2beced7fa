"""What a channel has of one customer, and what holds back what has not gone out, in words."""

import duckdb

from activation.evaluation import Evaluation
from activation.why_records import Record, local, records

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
    if is_held := _plan_is_held(plans):
        why = is_held
    return f", yet still in the list because {why}", {"acknowledged": held, "plans": plans}


def membership(
    state: duckdb.DuckDBPyConnection, asked: Record
) -> tuple[str, dict[str, list[Record]]]:
    """They go out: whether they have, and if not, what holds them back."""
    held = records(state, f"{_HELD} and identifier_hash = $hash", asked)
    plans = records(state, _LAST_PLAN, asked)
    receipts = records(state, _LAST_RECEIPT, asked)
    rows = {"acknowledged": held, "plans": plans, "receipts": receipts}
    told = f"in, with the consent {asked['consent_id']}"
    last = receipts[0] if receipts else None
    if held:
        told += f", confirmed by the channel on {local(held[0]['acknowledged_at'], asked['zone'])}"
    elif is_held := _plan_is_held(plans):
        told += f", not sent yet because {is_held}"
    elif last and last["action"] != "remove" and last["status"] != "acknowledged":
        code = f" ({last['vendor_code']})" if last["vendor_code"] else ""
        told += f", yet the channel has not taken them: {last['status']}{code}"
    else:
        told += ", not sent yet because no plan with them has been carried out"
    return told, rows


def message(
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
        if is_held := _plan_is_held(plans):
            return f"{told}; one is due, {is_held}", rows
        told += "; one is due and goes out with the next plan"
        if receipts and receipts[0]["status"] not in ("acknowledged", "sent"):
            told += f" (last tried: {receipts[0]['status']}, {receipts[0]['vendor_code']})"
        return told, rows
    rule = evaluation.sync.on_enter
    limits = f"{rule.cool_down_days} days of rest, {rule.valid_for_hours:g} hours" if rule else ""
    return f"{told}; none is due now (once per entry, {limits} after it)", rows


def _plan_is_held(plans: list[Record]) -> str:
    """That guards hold the newest plan; empty when they do not."""
    if not plans or plans[0]["status"] != "blocked":
        return ""
    return (
        f"the plan {plans[0]['plan_id']} is held by {plans[0]['blocked_by'].replace(',', ' and ')}"
    )


def _local(row: Record, name: str, asked: Record) -> str:
    return local(row[name], asked["zone"])
