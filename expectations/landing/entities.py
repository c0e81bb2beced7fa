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
# Keys below are never missing: a row without its key does not land.
CONVERSATIONS = Suite(
    table="conversations",
    key="conversation_id",
    rules=(
        in_future("opened_at"),
        share("answered_before_opened", "first_answered_at < opened_at", at_most=0.01),
        share("closed_before_opened", "closed_at < opened_at", at_most=0.01),
    ),
    mixes=("channel",),
)
MESSAGES = Suite("messages", "message_id", (in_future("sent_at"),), mixes=("direction",))
CALLS = Suite(
    table="calls",
    key="call_id",
    rules=(in_future("started_at"), share("duration_negative", "duration_seconds < 0")),
    mixes=("direction", "is_answered"),
)
LEADS = Suite("leads", "lead_id", (in_future("created_at"),), mixes=("outcome",))
OFFERS = Suite("offers", "offer_id", (share("ends_before_it_begins", "valid_to < valid_from"),))
COUPON_REDEMPTIONS = Suite(
    table="coupon_redemptions",
    key="redemption_id",
    rules=(missing("offer_id"), in_future("redeemed_at")),
)
LOYALTY_ENROLMENTS = Suite(
    table="loyalty_enrolments",
    key="enrolment_id",
    rules=(in_future("enrolled_at"), share("belongs_to_nobody", NOBODY, at_most=0.01)),
    mixes=("tier",),
)
REFERRALS = Suite("referrals", "referral_id", (in_future("referred_at"),))
EMAIL_EVENTS = Suite(
    table="email_events",
    key="email_event_id",
    rules=(
        in_future("occurred_at"),
        share("belongs_to_nobody", NOBODY, at_most=0.01),
        share(
            "kind_unknown",
            "coalesce(kind not in ('sent', 'delivered', 'open', 'click', 'bounce', 'unsubscribe'), "
            "true)",
        ),
    ),
    mixes=("kind",),
)
SESSIONS = Suite(
    table="sessions",
    key="session_id",
    rules=(
        missing("started_at", at_most=0),
        in_future("started_at"),
        share("ended_before_started", "ended_at < started_at"),
    ),
    mixes=("has_order",),
    levels=("page_view_count",),
)
SUITES = (
    customers.SUITE, PRODUCTS, STORES, orders.SUITE, order_lines.SUITE, PAYMENTS, REFUNDS, CONSENTS,
    CAMPAIGNS, EXPERIMENTS, SURVEY_RESPONSES, CONVERSATIONS, MESSAGES, CALLS, LEADS, OFFERS,
    COUPON_REDEMPTIONS, LOYALTY_ENROLMENTS, REFERRALS, EMAIL_EVENTS, SESSIONS,
)  # fmt: skip
