"""How many people a platform found for a list: matched / sent valid, and matched / audience size.

Both rates are over what stands here by name; a platform that tells a range has two of each.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb

from activation.channels.base import Channel
from khach.environment import Environment
from khach.errors import BusyError
from khach.runs import utc_now
from khach.state import open_state


@dataclass(frozen=True)
class MatchRate:
    """What a platform said last of a list: people found, of the rows sent, of the audience."""

    measured_at: datetime
    matched_at_least: int
    matched_at_most: int
    sent_count: int
    audience_size: int

    def text(self) -> str:
        """Both rates by name, a range where the platform tells one."""
        ends = sorted({self.matched_at_least, self.matched_at_most})
        found = " to ".join(f"{end:,}" for end in ends)
        of_sent, of_audience = (
            " to ".join(f"{end / whole:.0%}" for end in ends) if whole else "none"
            for whole in (self.sent_count, self.audience_size)
        )
        return (
            f"the platform found {found} people: {of_sent} of {self.sent_count:,} sent, "
            f"{of_audience} of {self.audience_size:,} in the audience"
        )


def newest_matches(
    state: duckdb.DuckDBPyConnection, sync_ids: Collection[str]
) -> dict[str, MatchRate]:
    """Of each of these syncs whose platform ever told one."""
    rows = state.execute(
        "select sync_id, measured_at, matched_at_least, matched_at_most, sent_count, audience_size "
        "from sync_matches where list_contains(?, sync_id) "
        "qualify row_number() over (partition by sync_id order by measured_at desc) = 1 order by 1",
        [list(sync_ids)],
    ).fetchall()
    return {row[0]: MatchRate(*row[1:]) for row in rows}


def record_match(env: Environment, sync_id: str, channel: Channel) -> None:
    """Keep what the channel tells of its list now; nothing while it tells nothing, or nothing new.

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
            with answer as (
                select
                    plan.sync_id, plan.audience, plan.channel, plan.plan_id, $at as measured_at,
                    $least as matched_at_least, $most as matched_at_most,
                    coalesce(
                        $sent, (select count(*) from sync_acknowledged where sync_id = $sync)
                    ) as sent_count,
                    plan.add_count + plan.update_count + plan.unchanged_count
                        + plan.excluded_count as audience_size
                from sync_plans as plan
                where plan.sync_id = $sync and plan.started_at is not null
                order by plan.created_at desc, plan.plan_id desc
                limit 1
            ),
            last as (
                from sync_matches where sync_id = $sync order by measured_at desc limit 1
            )
            select answer.* from answer
            anti join last using (
                plan_id, matched_at_least, matched_at_most, sent_count, audience_size
            )
            """,
            {"sync": sync_id, "at": utc_now(), "least": match.at_least, "most": match.at_most,
             "sent": match.sent},
        )  # fmt: skip
