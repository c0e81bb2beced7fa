"""What readers may rely on beyond keys and references: formats, ranges, distributions."""

from expectations.rules import E164, Rule, in_future, malformed_email, mean_between, share
from expectations.suite import Suite

# Without these two there is nothing to publish.
CORE = ("customers", "orders")


def _unit_interval(column: str, applies: str = "true") -> Rule:
    failing = f"case when {applies} then {column} not between 0 and 1 end"
    return share(f"{column}_outside_0_and_1", failing)


CUSTOMERS = Suite(
    table="customers",
    key="customer_id",
    rules=(
        malformed_email("email", at_most=0.001, severity="error"),
        share("phone_not_e164", f"not regexp_matches(phone_e164, '{E164}')"),
        share(
            "birth_date_impossible",
            "birth_date < date '1900-01-01' or birth_date > current_date",
            at_most=0.01,
        ),
        in_future("last_order_at", at_most=0.001),
        share("order_count_negative", "order_count < 0"),
        share("net_above_gross", "net_revenue_amount > gross_revenue_amount", at_most=0.001),
        share(
            "order_count_beyond_belief", "order_count > 10000", at_most=0.0001, severity="warning"
        ),
        mean_between("order_count", 0, 1000),
    ),
)
ORDERS = Suite(
    table="orders",
    key="order_id",
    rules=(
        in_future("ordered_at", at_most=0.001),
        share(
            "refund_above_gross", "refund_amount > gross_amount", at_most=0.05, severity="warning"
        ),
        share("units_negative", "units < 0", at_most=0.01),
        share("customer_unknown", "customer_id is null", at_most=0.9, severity="warning"),
    ),
    newest="ordered_at",
    fresh_days=7,
)
ORDER_LINES = Suite(
    table="order_lines",
    key="order_line_id",
    rules=(
        share("unit_price_negative", "unit_price_amount < 0", at_most=0.01),
        share("discount_above_price", "discount_amount > unit_price_amount * units", at_most=0.01,
              severity="warning"),
    ),
)  # fmt: skip
CONSENTS = Suite(
    table="consents",
    key="consent_id",
    rules=(
        in_future("granted_at"),
        in_future("withdrawn_at"),
        share("granted_without_time", "is_granted and granted_at is null"),
    ),
)
CARTS = Suite(
    table="carts",
    key="cart_id",
    rules=(
        in_future("last_activity_at"),
        share("cart_amount_negative", "cart_amount < 0"),
        share("ends_before_it_starts", "last_activity_at < started_at"),
    ),
)
SESSIONS = Suite(
    table="sessions",
    key="session_id",
    rules=(
        in_future("started_at"),
        share("ends_before_it_starts", "ended_at < started_at"),
        share("longer_than_a_day", "ended_at > started_at + interval 1 day", at_most=0.01,
              severity="warning"),
    ),
)  # fmt: skip
KPI_VALUES = Suite(
    table="kpi_values",
    key="kpi, grain, period_start, slice, slice_value",
    rules=(
        # Of one order there may be several complaints.
        _unit_interval(
            "value", "regexp_matches(kpi, '(^|_)(rate|share)(_|$)') and kpi <> 'complaint_rate'"
        ),
        share("value_despite_denominator_zero", "value is not null and denominator = 0"),
        share("interval_without_value", "value < lower_95 or value > upper_95"),
    ),
)
SEGMENT_MEMBERSHIP = Suite(
    table="segment_membership",
    key="segment_id, customer_id, valid_from",
    rules=(share("ends_before_it_starts", "valid_to < valid_from"),),
)
SUITES = (
    CUSTOMERS, ORDERS, ORDER_LINES, CONSENTS, CARTS, SESSIONS, KPI_VALUES, SEGMENT_MEMBERSHIP,
)  # fmt: skip
