"""Every KPI of docs/kpis.md by name, and the slices it is recounted over.

Two KPIs are fitted, not counted, and have judges of their own: predicted_clv_12m and p_alive.
"""

from tests.e2e.recount import formulas_buying as buying
from tests.e2e.recount import formulas_contact as contact
from tests.e2e.recount.period import Formula, share

_OF_PERSONS = ("all", "generation", "gender")
_OF_ORDERS = (*_OF_PERSONS, "channel", "store", "province", "country")
_OF_SALES = (*_OF_ORDERS, "traffic_source", "campaign", "contact")
_OF_CONTACTS = (*_OF_PERSONS, "channel", "campaign", "contact")

# By kind of fact: the slices that it has of itself, and the KPIs over it.
_GROUPS: list[tuple[tuple[str, ...], dict[str, Formula]]] = [
    ((*_OF_SALES, "category"), {
        "customers": buying.customers,
        "orders": buying.orders,
        "units": buying.units,
        "gross_revenue": buying.gross_revenue,
        "average_order_value": buying.average_order_value,
        "revenue_unattributed": buying.revenue_unattributed,
    }),
    (_OF_SALES, {
        "net_revenue_by_order_day": buying.net_by_order_day,
        "net_revenue_by_refund_day": buying.net_by_refund_day,
    }),
    ((*_OF_PERSONS, "channel", "store", "province", "contact"), {
        "complaint_rate": buying.complaints,
    }),
    (_OF_ORDERS, {
        "repeat_purchase_rate": buying.repeat,
        "returning_customer_rate": buying.returning,
        "second_purchase_rate_30d": buying.second(30),
        "second_purchase_rate_60d": buying.second(60),
        "second_purchase_rate_90d": buying.second(90),
        "loyalty_enrolment_rate": buying.enrolment,
        "referral_rate": buying.referral,
    }),
    (_OF_PERSONS, {
        "became_loyal_rate": buying.moved({"repeat"}, {"loyal"}),
        "lapse_rate": buying.moved(buying.ACTIVE, buying.LAPSED),
        "win_back_rate": buying.moved(buying.LAPSED, buying.ACTIVE),
        "historic_clv": buying.historic,
    }),
    ((*_OF_PERSONS, "contact", "traffic_source", "campaign"), {
        "cart_abandonment_rate": lambda chosen, _, p: share(p.of(chosen.carts), "is_abandoned"),
        "cart_recovery_rate_gross": buying.recovery(lambda _: True),
        "cart_recovery_rate_reminded": buying.recovery(lambda row: bool(row["is_reminded"])),
        "cart_recovery_rate_natural": buying.recovery(lambda row: row["grp"] == "holdout"),
        "cart_recovery_incremental": buying.incremental,
        "recovered_value": buying.recovered_value,
        "session_conversion_rate": lambda chosen, _, p: share(p.of(chosen.visits), "has_order"),
    }),
    ((*_OF_PERSONS, "traffic_source", "channel", "campaign"), {
        "sign_ups": lambda chosen, _, period: (len(period.of(chosen.sign_ups)), None),
        "lead_contact_rate": contact.sign_up("is_contacted", 7),
        "lead_unqualified_rate": contact.sign_up("is_unqualified", 7, among="is_contacted"),
        "first_purchase_rate": contact.sign_up("has_bought", 30),
    }),
    ((*_OF_PERSONS, "contact", "campaign"), {
        "email_delivered_rate": contact.mail("is_delivered"),
        "bounce_rate": contact.mail("is_bounced"),
        "open_rate": contact.mail("is_opened", among="is_delivered"),
        "click_rate": contact.mail("is_clicked", among="is_delivered"),
        "unsubscribe_rate": contact.mail("is_unsubscribed", among="is_delivered"),
        "click_to_open_rate": contact.mail("is_clicked", among="is_opened"),
    }),
    ((*_OF_PERSONS, "channel", "contact"), {
        "first_response_time": contact.first_response,
        "resolution_rate": contact.resolution,
        "repeat_contact_rate": contact.repeat_contact,
    }),
    (_OF_CONTACTS, {
        "new_reach": contact.new_reach,
        "unwanted_contact_rate": contact.unwanted,
        "interaction_cost_per_customer": contact.cost,
    }),
    ((*_OF_PERSONS, "campaign", "contact"), {"call_conversion_rate": contact.calls}),
    ((*_OF_PERSONS, "channel", "store", "contact"), {"nps": contact.nps, "csat": contact.csat}),
    ((*_OF_PERSONS, "channel", "purpose", "channel_purpose"), {
        "reachable_share": contact.reachable,
    }),
]  # fmt: skip

FORMULAS = {kpi: formula for _, group in _GROUPS for kpi, formula in group.items()}
SLICES = {kpi: slices for slices, group in _GROUPS for kpi in group}
FITTED = {"predicted_clv_12m", "p_alive"}
