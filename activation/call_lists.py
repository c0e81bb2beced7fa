"""Who stands on a list of people to be called, since when, until when: call results meet them.

The list is any membership sync whose people go out under their consent to telephone calls; it is
read off what the channel has confirmed, so that it may be recorded again at any time.
"""

from datetime import UTC, datetime

from activation.audience_file import Audience, Sync
from khach.environment import Environment
from khach.state import open_state


def record_call_list(env: Environment, audience: Audience, sync: Sync, at: datetime) -> None:
    """Bring `call_list_entries` to what the channel has acknowledged; other syncs have no rows.

    `at`, aware, is the moment for whoever is new on the list, or gone from it.
    """
    if sync.is_message or sync.consent_channel != "phone":
        return
    moment = at.astimezone(UTC).replace(tzinfo=None)
    with open_state(env) as state:
        state.execute("begin")
        state.execute(
            "update call_list_entries set unlisted_at = $at where sync_id = $sync "
            "and unlisted_at is null and (customer_id, identifier_hash) not in "
            "(select (customer_id, identifier_hash) from sync_acknowledged where sync_id = $sync)",
            {"sync": sync.id, "at": moment},
        )
        state.execute(
            """
            insert into call_list_entries by name
            select
                held.sync_id, $audience as audience, held.customer_id, held.identifier_hash,
                max_by(receipt.receipt_id, (receipt.attempted_at, receipt.receipt_id))
                    as receipt_id,
                $at as listed_at
            from sync_acknowledged as held
            left join sync_receipts as receipt
                on held.sync_id = receipt.sync_id and held.customer_id = receipt.customer_id
                and receipt.action in ('add', 'update')
                and receipt.status in ('acknowledged', 'sent', 'unknown')
            anti join call_list_entries as listed
                on held.sync_id = listed.sync_id and held.customer_id = listed.customer_id
                and held.identifier_hash = listed.identifier_hash and listed.unlisted_at is null
            where held.sync_id = $sync and held.customer_id not like 'seed:%'
            group by all
            """,
            {"sync": sync.id, "audience": audience.name, "at": moment},
        )
        state.execute("commit")
