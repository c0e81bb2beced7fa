"""Orders of any channel, web or till."""

from expectations.rules import in_future, missing, share
from expectations.suite import Suite

SUITE = Suite(
    table="orders",
    key="order_id",
    rules=(
        missing("order_id"),
        missing("ordered_at"),
        in_future("ordered_at"),
        missing("status", severity="warning"),
        share("ordered_long_ago", "ordered_at < timestamp '1990-01-01'", at_most=0.01),
    ),
    mixes=("channel",),
    newest="ordered_at",
)
