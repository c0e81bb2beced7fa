"""Order lines, with or without an orders table beside them."""

from expectations.rules import in_future, missing, share
from expectations.suite import Suite

SUITE = Suite(
    table="order_lines",
    key="order_line_id",
    rules=(
        missing("order_line_id"),
        missing("order_id"),
        in_future("ordered_at"),
        share("unit_price_negative", "unit_price < 0", at_most=0.01),
        share("worth_unknown", "line_amount is null and unit_price is null", at_most=0.01),
        share("units_zero_or_missing", "coalesce(units, 0) = 0", at_most=0.05, severity="warning"),
        share("units_beyond_belief", "abs(units) > 10000", at_most=0.001, severity="warning"),
    ),
    levels=("unit_price", "line_amount"),
)
