"""The e-mail platform's tables; its addresses have been mailed to, so they must look like some."""

from expectations.rules import in_future, malformed_email, missing
from expectations.suite import Suite

LISTS = Suite(table="lists", key="list_id", rules=(missing("list_id"),))
MEMBERS = Suite(
    table="members",
    key="list_id, member_id",
    marker="member_id",
    rules=(
        missing("member_id"),
        missing("status"),
        malformed_email("email_address", at_most=0.02, severity="error"),
        in_future("last_changed"),
    ),
    # No mix of status: a load holds changed members only, so its mix differs by nature.
)
CAMPAIGNS = Suite(
    table="campaigns",
    key="campaign_id",
    marker="emails_sent",
    rules=(missing("campaign_id"), missing("list_id", severity="warning")),
)
SENT_TO = Suite(
    table="sent_to",
    key="campaign_id, member_id",
    rules=(missing("campaign_id"), missing("member_id"), in_future("last_open")),
    # No mix of status: a load holds changed members only, so its mix differs by nature.
)
EMAIL_ACTIVITY = Suite(
    table="email_activity",
    key="campaign_id, member_id",
    rules=(
        missing("campaign_id"),
        missing("member_id"),
        missing("occurred_at"),
        in_future("occurred_at"),
    ),
    mixes=("action",),
)
UNSUBSCRIBES = Suite(
    table="unsubscribes",
    key="campaign_id, member_id",
    rules=(missing("campaign_id"), missing("member_id"), in_future("occurred_at")),
)
SUITES = (LISTS, MEMBERS, CAMPAIGNS, SENT_TO, EMAIL_ACTIVITY, UNSUBSCRIBES)
