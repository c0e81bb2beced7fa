"""Web events of Snowplow and Google Analytics 4: an event is somebody's, and has a name."""

from expectations.rules import in_future, missing, share
from expectations.suite import Suite

SNOWPLOW = Suite(
    table="events",
    key="event_id",
    marker="domain_userid",
    rules=(
        missing("event_id"),
        missing("occurred_at"),
        in_future("occurred_at"),
        share(
            "belongs_to_nobody",
            "domain_userid is null and network_userid is null and user_id is null",
            at_most=0.05,
        ),
        share("event_without_type", "event_type is null", at_most=0.01),
    ),
    mixes=("event_type", "event_name"),
    newest="occurred_at",
)
# Without consent Google exports events that are nobody's: more of them are worth a warning only.
GA4 = Suite(
    table="events",
    key="event_id",
    marker="user_pseudo_id",
    rules=(
        missing("event_id"),
        missing("occurred_at"),
        in_future("occurred_at"),
        share(
            "belongs_to_nobody",
            "user_pseudo_id is null and user_id is null",
            at_most=0.5,
            severity="warning",
        ),
        share("event_without_name", "event_name is null", at_most=0.01),
    ),
    mixes=("event_name",),
    newest="occurred_at",
)
SUITES = (SNOWPLOW, GA4)
