"""Suppression push: a withdrawal, wherever it was made, ends the contact in the channel too.

Runs before everything else of an apply, also when the plan is blocked, also for contacts that we
did not add; each withdrawal is asked once per destination.
"""

import hashlib
from collections.abc import Mapping

import pyarrow as pa

from activation.audience_file import Audience, Sync
from activation.channels.base import Batch, BatchRejectedError, Channel, Outcome
from activation.consent import withdraw
from activation.identifiers import IDENTIFIERS, holders_sql
from activation.leases import Lease
from activation.policy import Policy
from activation.snapshot import current_snapshot, open_marts
from khach.environment import Environment
from khach.errors import BusyError
from khach.runs import utc_now
from khach.state import open_state

_SETTLED = ("unsubscribed", "already", "not_held")
# Stands where a withdrawal has the id of its consent.
_ON_LIST = "suppression_list"


def push_suppressions(
    env: Environment,
    audience: Audience,
    sync: Sync,
    *,
    channel: Channel,
    policy: Policy,
    remote: Mapping[str, str],
    lease: Lease,
) -> int:
    """Carry new withdrawals to the sync's destination; the number of contacts unsubscribed now.

    Raises BusyError when the channel stops answering; what was answered until then is recorded.
    """
    destination = _destination(sync, remote)
    _forget_lifted(env, policy, destination)
    pending = _pending(env, audience, sync, policy, destination)
    unsubscribed = 0
    size = sync.capabilities.batch_size
    for start in range(0, pending.num_rows, size):
        batch = pending.slice(start, size)
        began = utc_now()
        outcomes = _suppress(channel, sync.id, f"{began:%Y%m%dT%H%M%S%f}", batch)
        with open_state(env) as state:
            lease.renew(state)
            state.register("answered", _with_outcomes(batch, outcomes))
            state.execute("begin")
            state.execute(
                "insert into suppression_pushes select ?, ?, identifier_hash, customer_id, "
                "refusal.consent_id, refusal.withdrawn_at, code, ? "
                "from (select *, unnest(refusals) as refusal from answered) where code in ?",
                [sync.id, destination, utc_now(), list(_SETTLED)],
            )
            state.execute(
                "insert into sync_receipts (receipt_id, plan_id, sync_id, customer_id, action, "
                "status, payload_hash, consent_id, remote_id, vendor_code, vendor_message, "
                "attempted_at, settled_at) select 's' || strftime(?, '%Y%m%dT%H%M%S%f') || '-' || "
                "row_id[1:12], null, ?, customer_id, 'suppress', status, null, "
                "consent_id, remote_id, code, message, ?, ? from answered "
                "where code <> 'not_held' and status <> 'unanswered'",
                [began, sync.id, began, utc_now()],
            )
            state.execute("commit")
            state.unregister("answered")
        unsubscribed += sum(outcome.code == "unsubscribed" for outcome in outcomes)
        if any(outcome.status == "unanswered" for outcome in outcomes):
            raise BusyError(f"{sync.channel} stopped answering", fix="try again later")
    return unsubscribed


def _suppress(channel: Channel, sync_id: str, moment: str, batch: pa.Table) -> list[Outcome]:
    """One outcome a row. A rejected batch is halved until the bad row stands alone: a broken
    address of one person must not keep the others' withdrawals from being carried.
    """
    rows = [
        withdraw(row["remote_id"], row["row_id"], row["identifier"]) for row in batch.to_pylist()
    ]
    try:
        return channel.suppress(Batch(f"{sync_id}-{moment}", "", sync_id, rows))
    except BatchRejectedError as problem:
        if len(rows) == 1:
            return [problem.outcome]
    middle = len(rows) // 2
    halves = (("a", batch.slice(0, middle)), ("b", batch.slice(middle)))
    return [
        outcome
        for name, half in halves
        for outcome in _suppress(channel, sync_id, f"{moment}{name}", half)
    ]


def _destination(sync: Sync, remote: Mapping[str, str]) -> str:
    """The account or list where contact ends; a tag within it is no other place."""
    place = {
        key: remote[key] for key, kind in sync.capabilities.remote.items() if kind == "variable"
    }
    return hashlib.sha256(f"{sync.channel}/{sorted(place.items())}".encode()).hexdigest()[:16]


def _forget_lifted(env: Environment, policy: Policy, destination: str) -> None:
    """Who stands on the suppression list no more may come on it again, which is told anew: the list
    has no times by which the second entry would differ.
    """
    with open_state(env) as state:
        state.register("suppression", policy.suppressions)
        state.execute(
            "delete from suppression_pushes where destination = ? and consent_id = ? "
            "and identifier_hash not in (select identifier_hash from suppression)",
            [destination, _ON_LIST],
        )
        state.unregister("suppression")


def _pending(
    env: Environment, audience: Audience, sync: Sync, policy: Policy, destination: str
) -> pa.Table:
    """Withdrawals not yet carried: a row for each identifier and key of a holder there, with every
    refusal that is new of it, and the consent that says so.

    Who stands on the suppression list has withdrawn too; its `consent_id` is the list's name.
    """
    with open_state(env) as state:
        snapshot = current_snapshot(env, state)
        pushed = state.execute(
            "select identifier_hash, customer_id, consent_id, withdrawn_at from suppression_pushes "
            "where destination = ?",
            [destination],
        ).to_arrow_table()
    with open_marts(snapshot) as connection:
        connection.register("pushed", pushed)
        connection.register("suppression", policy.suppressions)
        return connection.execute(
            _pending_sql(sync), [sync.consent, audience.purpose, sync.consent]
        ).to_arrow_table()


def _pending_sql(sync: Sync) -> str:
    """Grain: identifier and key of a holder at the channel, of which a refusal is new."""
    key = sync.capabilities.remote_id_sql
    return f"""
        with held as materialized (
            select distinct * from ({holders_sql(IDENTIFIERS[sync.consent])})
        ),
        refused as (
            select identifier, held.customer_id, consent_id, withdrawn_at
            from held
            join consents on held.customer_id = consents.customer_id
            where consents.channel = ? and consents.purpose = ?
                and consents.is_granted is not true and identifier <> ''
            union all
            select identifier, customer_id, '{_ON_LIST}', null
            from held
            where sha256(identifier) in (
                select identifier_hash from suppression where channel in (?, 'all')
            )
        ),
        -- A channel that knows people by our ids is told of every holder.
        concerned as (
            select
                identifier, sha256(identifier) as identifier_hash, held.customer_id,
                held.customer_id = refused.customer_id as is_refuser, consent_id, withdrawn_at
            from refused join held using (identifier)
        ),
        keyed as materialized (select *, {key} as remote_id from concerned),
        told as (
            select distinct
                identifier_hash, consent_id, withdrawn_at,
                {key} as remote_id
            from pushed
            join (select distinct identifier, identifier_hash from keyed)
                using (identifier_hash)
        )
        select
            identifier_hash, identifier, remote_id,
            sha256(identifier_hash || '/' || remote_id) as row_id,
            coalesce(min(customer_id) filter (is_refuser), min(customer_id)) as customer_id,
            min(consent_id) as consent_id,
            list(distinct {{'consent_id': consent_id, 'withdrawn_at': withdrawn_at}})
                as refusals
        from keyed
        where not exists (
            select 1 from told
            where told.identifier_hash = keyed.identifier_hash
                and told.consent_id = keyed.consent_id
                and told.withdrawn_at is not distinct from keyed.withdrawn_at
                and told.remote_id = keyed.remote_id
        )
        group by identifier_hash, identifier, remote_id
        order by identifier_hash, remote_id
    """


def _with_outcomes(batch: pa.Table, outcomes: list[Outcome]) -> pa.Table:
    for name in ("status", "code", "message"):
        values = [getattr(outcome, name) for outcome in outcomes]
        batch = batch.append_column(name, pa.array(values, pa.string()))
    return batch
