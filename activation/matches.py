"""How many people a platform found for a list: matched / sent valid, and matched / audience size.

Both rates are over what stands here by name; a platform that tells a range has two of each.
"""

from activation.channels.base import Channel
from khach.environment import Environment
from khach.errors import BusyError
from khach.runs import utc_now
from khach.state import open_state


def record_match(env: Environment, sync_id: str, channel: Channel) -> None:
    """Keep what the channel tells of its list now; nothing while it does not tell.

    Sent are the rows that the answer speaks of, else the members that the channel has acknowledged;
    the audience is that of the sync's newest plan.
    """
    try:
        match = channel.matched()
    except BusyError:  # a figure is not worth failing for: the next delivery asks again
        return
    if match is None:
        return
    with open_state(env) as state:
        state.execute(
            """
            insert into sync_matches
            select
                plan.sync_id, plan.audience, plan.channel, plan.plan_id, $at, $least, $most,
                coalesce($sent, (select count(*) from sync_acknowledged where sync_id = $sync)),
                plan.add_count + plan.update_count + plan.unchanged_count + plan.excluded_count
            from sync_plans as plan
            where plan.sync_id = $sync and plan.started_at is not null
            order by plan.created_at desc, plan.plan_id desc
            limit 1
            """,
            {"sync": sync_id, "at": utc_now(), "least": match.at_least, "most": match.at_most,
             "sent": match.sent},
        )  # fmt: skip
