"""What would change at the channel: desired rows against what state knows was done.

Leaves the temporary table `difference`: row_number, customer_id, identifier_hash, remote_id,
action, payload_hash, field_hashes, changed_fields, consent_id, reason_code, entry_id, entered_at,
offer_code; of a list only who changes, of messages everybody. Row order does not matter.
"""

from datetime import datetime, timedelta

import duckdb

from activation.audience_file import Sync
from activation.ledger import Inputs
from activation.payloads import Payload


def build_member_difference(
    connection: duckdb.DuckDBPyConnection, sync: Sync, inputs: Inputs, payload: Payload
) -> None:
    """Grain: identifier. Keyed by it, so that a merge of customers is no churn.

    Where the channel knows members by another key and that has changed, the old one is removed and
    the new one added. Rows whose answer is still to come are left alone.
    """
    connection.register("in_flight", inputs.in_flight)
    _build_changed(connection, sync)
    # Fields are hashed only where they go out.
    who = "select customer_id from changed where action in ('add', 'update')"
    connection.execute(
        f"""
        create temp table difference as
        with hashed as ({payload.field_hashes_sql(who)}),
        left_out as (
            select customer_id, reason_code from desired where reason_code is not null
        )
        select
            row_number() over (
                order by if(action = 'remove', 0, 1), identifier_hash
            ) as row_number,
            changed.customer_id,
            identifier_hash,
            channel_id as remote_id,
            action,
            payload_hash,
            if(action = 'remove', null, hashed.field_hashes) as field_hashes,
            case when action = 'update' then list_sort(list_filter(
                map_keys(hashed.field_hashes),
                lambda name: hashed.field_hashes[name] is distinct from old_hashes[name]
            )) end as changed_fields,
            consent_id,
            left_out.reason_code,
            cast(null as varchar) as entry_id,
            cast(null as timestamp) as entered_at,
            offer_code
        from changed
        left join hashed on changed.customer_id = hashed.customer_id
        left join left_out on changed.customer_id = left_out.customer_id
        """
    )


def _build_changed(connection: duckdb.DuckDBPyConnection, sync: Sync) -> None:
    """`changed`: identifiers to add, update or remove, with what either side knows of them.

    Hashes meet first: nothing else is carried through the join of everybody with everybody.
    """
    connection.execute(
        f"""
        create temp table changed as
        with met as (
            select
                coalesce(wanted.identifier_hash, acknowledged.identifier_hash) as identifier_hash,
                wanted.identifier_hash is not null as is_wanted,
                acknowledged.identifier_hash is not null as is_held,
                coalesce(wanted.remote_id <> acknowledged.remote_id, false) as is_renamed
            from (
                select identifier_hash, payload_hash, remote_id
                from desired where reason_code is null
            ) as wanted
            full join acknowledged on wanted.identifier_hash = acknowledged.identifier_hash
            -- What was read back after an interruption has no payload hash, wanted or not.
            where
                not (is_wanted and is_held)
                or wanted.payload_hash is distinct from acknowledged.payload_hash
                or is_renamed
        ),
        paired as (
            select
                coalesce(wanted.customer_id, acknowledged.customer_id) as customer_id,
                met.*,
                wanted.remote_id as remote_id,
                acknowledged.remote_id as old_remote_id,
                acknowledged.handle,
                wanted.payload_hash,
                wanted.consent_id,
                wanted.offer_code,
                acknowledged.field_hashes as old_hashes
            from met
            left join (from desired where reason_code is null) as wanted
                on met.identifier_hash = wanted.identifier_hash
            left join acknowledged on met.identifier_hash = acknowledged.identifier_hash
        ),
        open as (
            select * from paired
            where
                identifier_hash not in (select identifier_hash from in_flight)
                and (remote_id is null or remote_id not in (select remote_id from in_flight))
        ),
        found as (
            select
                open.*,
                case
                    when not is_wanted then 'remove'
                    when not is_held or is_renamed then 'add'
                    else 'update'
                end as action,
                if(is_renamed, remote_id, coalesce(handle, remote_id, old_remote_id)) as channel_id
            from open
            union all
            select open.* replace (null as consent_id, null as payload_hash, null as offer_code),
                'remove', coalesce(handle, old_remote_id)
            from open
            where is_renamed
        )
        select * from found {_kept_by(sync)}
        """
    )


def _kept_by(sync: Sync) -> str:
    """A mirror removes whoever leaves; add_only those alone who withdrew, where no unsubscribe of
    the channel's own carries that.
    """
    if sync.is_mirror:
        return ""
    able = sync.capabilities
    if able.can_suppress or "mirror" not in able.modes:
        return "where action <> 'remove'"
    return "where action <> 'remove' or customer_id in (select customer_id from withdrawn)"


def build_message_difference(
    connection: duckdb.DuckDBPyConnection, sync: Sync, inputs: Inputs, *, as_of: datetime
) -> None:
    """Grain: customer. One message per entry into the audience, while it is fresh and cooled down.

    An entry begins with the open interval of membership, or now. What anybody got under the same
    number, or under an id that has gone up in this one, counts.
    """
    if sync.on_enter is None:
        raise TypeError("a membership has no entries")
    connection.register("open_reason_told", inputs.open_reasons)
    connection.register("messages_told", inputs.messages)
    connection.execute(
        """
        create temp table difference as
        with entries as (
            select
                coalesce(current_customer_id, customer_id) as customer_id,
                min(valid_from) as entered_at
            from open_reason_told
            left join customer_survivors using (customer_id)
            where reason_code = 'member'
            group by all
        ),
        sent as (
            select
                coalesce(current_customer_id, customer_id) as customer_id,
                identifier_hash,
                entry_id,
                -- What could not be delivered ends its entry, but cools nobody down.
                case when status <> 'failed' then sent_at end as sent_at
            from messages_told
            left join customer_survivors using (customer_id)
        ),
        last_sent as (
            select customer_id, max(sent_at) as last_sent_at from sent group by all
        ),
        last_sent_there as (
            select identifier_hash, max(sent_at) as last_sent_at from sent group by all
        ),
        wanted as (
            select
                desired.*,
                coalesce(entries.entered_at, $as_of) as entered_at,
                'e' || sha256(
                    $sync_id || '/' || customer_id || '/' || coalesce(entries.entered_at, $as_of)
                )[1:24] as entry_id,
                greatest(last_sent.last_sent_at, last_sent_there.last_sent_at) as last_sent_at
            from desired
            left join entries using (customer_id)
            left join last_sent using (customer_id)
            left join last_sent_there using (identifier_hash)
            where reason_code is null
        ),
        cooled as (
            select
                wanted.*,
                entered_at + to_seconds($seconds) > $as_of
                -- An entry goes on under another id after a merge, and has had its message.
                and (last_sent_at is null or last_sent_at <= least($cooled, entered_at))
                and entry_id not in (select entry_id from sent) as is_own_turn
            from wanted
        ),
        -- Own staff get one with every send, however soon after the last.
        judged as (
            select
                cooled.*,
                if(
                    starts_with(customer_id, 'seed:'),
                    entry_id not in (select entry_id from sent)
                    and exists (
                        select 1 from cooled as other
                        where other.is_own_turn and not starts_with(other.customer_id, 'seed:')
                    ),
                    is_own_turn
                ) as is_due
            from cooled
        )
        select
            row_number() over (
                order by if(is_due, 0, 1), identifier_hash
            ) as row_number,
            customer_id,
            identifier_hash,
            remote_id,
            if(is_due, 'message', 'unchanged') as action,
            payload_hash,
            cast(null as map(varchar, varchar)) as field_hashes,
            cast(null as varchar[]) as changed_fields,
            consent_id,
            reason_code,
            entry_id,
            entered_at,
            offer_code
        from judged
        """,
        {
            "as_of": as_of,
            "sync_id": sync.id,
            "seconds": sync.on_enter.valid_for_hours * 3600,
            "cooled": as_of - timedelta(days=sync.on_enter.cool_down_days),
        },
    )
