"""Web events in Segment's shape. Devices' clocks lie, so time is judged by shares."""

from expectations.rules import in_future, missing, share
from expectations.suite import Suite

EVENTS = Suite(
    table="events",
    key="message_id",
    marker="message_id",
    rules=(
        missing("message_id"),
        missing("occurred_at"),
        in_future("occurred_at"),
        share("belongs_to_nobody", "anonymous_id is null and user_id is null", at_most=0.05),
        share(
            "track_without_event", "case when type = 'track' then event is null end", at_most=0.01
        ),
        share(
            "type_unknown",
            "type not in ('track', 'page', 'identify', 'alias', 'screen', 'group')",
            at_most=0.01,
            severity="warning",
        ),
        share(
            "arrived_late",
            "received_at > occurred_at + interval 3 day",
            at_most=0.05,
            severity="warning",
        ),
    ),
    mixes=("type", "event"),
    newest="occurred_at",
)
SUITES = (EVENTS,)
