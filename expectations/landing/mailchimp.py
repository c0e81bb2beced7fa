"""The e-mail platform's tables; its addresses have been mailed to, so they must look like some."""

from expectations.landing.vendor import vendor_table
from expectations.rules import malformed_email, missing

SUITES = (
    vendor_table("lists", key="list_id"),
    vendor_table(
        "members",
        malformed_email("email_address", at_most=0.02, severity="error"),
        key="list_id, member_id",
        marker="member_id",
        needs="status",
        past="last_changed",
    ),
    vendor_table(
        "campaigns",
        missing("list_id", severity="warning"),
        key="campaign_id",
        marker="emails_sent",
    ),
    vendor_table("sent_to", key="campaign_id, member_id", past="last_open"),
    vendor_table(
        "email_activity",
        key="campaign_id, member_id",
        needs="occurred_at",
        past="occurred_at",
        mixes="action",
    ),
    vendor_table("unsubscribes", key="campaign_id, member_id", past="occurred_at"),
)
