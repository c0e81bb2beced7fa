"""Suites of the tables that `files` and `sql` sources map onto (docs/architecture.md)."""

from expectations.landing import customers, order_lines, orders
from expectations.landing.references import NOBODY
from expectations.rules import in_future, missing, share
from expectations.suite import Suite

PRODUCTS = Suite(
    table="products",
    key="product_id",
    rules=(missing("product_id"), share("price_negative", "price < 0", at_most=0.01)),
    levels=("price",),
)
STORES = Suite(table="stores", key="store_id", rules=(missing("store_id"),))
PAYMENTS = Suite(
    table="payments",
    key="payment_id",
    rules=(
        missing("payment_id"),
        missing("amount"),
        in_future("paid_at"),
        share("amount_negative", "amount < 0", at_most=0.05, severity="warning"),
    ),
    mixes=("method",),
    levels=("amount",),
)
REFUNDS = Suite(
    table="refunds",
    key="refund_id",
    rules=(
        missing("refund_id"),
        missing("amount"),
        in_future("refunded_at"),
        share("amount_negative", "amount < 0", at_most=0.05, severity="warning"),
    ),
    levels=("amount",),
)
CONSENTS = Suite(
    table="consents",
    key="consent_id",
    rules=(
        missing("consent_id"),
        missing("is_granted"),
        missing("occurred_at"),
        missing("purpose"),
        in_future("occurred_at"),
        share("belongs_to_nobody", NOBODY, at_most=0.01),
    ),
    mixes=("is_granted", "purpose"),
)
CAMPAIGNS = Suite(
    table="campaigns",
    key="campaign_id",
    marker="campaign_name",
    rules=(
        missing("campaign_id"),
        share("cost_negative", "cost < 0"),
    ),
)
EXPERIMENTS = Suite(
    table="experiments",
    key="experiment_id",
    rules=(
        missing("experiment_id"),
        missing("experiment_group"),
        share("belongs_to_nobody", NOBODY, at_most=0.01),
    ),
    mixes=("experiment_group",),
)
SURVEY_RESPONSES = Suite(
    table="survey_responses",
    key="response_id",
    rules=(
        missing("response_id"),
        in_future("answered_at"),
        share("score_off_scale", "score < 0 or score > scale_max", at_most=0.01),
    ),
    mixes=("survey",),
)
SUITES = (
    customers.SUITE, PRODUCTS, STORES, orders.SUITE, order_lines.SUITE, PAYMENTS, REFUNDS, CONSENTS,
    CAMPAIGNS, EXPERIMENTS, SURVEY_RESPONSES,
)  # fmt: skip
