"""docs/kpis.md in Python: each KPI a function of facts and a period.

`chosen` are the facts of the slice, `whole` those of everybody; the answer is numerator and
denominator, the denominator None where the KPI is a sum or a count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from tests.e2e.recount.facts import Facts, Row, days_of, times_of

Answer = tuple[float | int | None, int | None]


@dataclass(frozen=True)
class Period:
    """Whole days from `start` to the day before `end`; `today` is the first day not yet over."""

    start: date
    end: date
    today: date

    def of(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if self.start <= row["day"] < self.end]

    def over_for(self, days: int) -> bool:
        """Whether so many days have passed since the period for everything in it."""
        return self.end + timedelta(days) <= self.today


Formula = Callable[[Facts, Facts, Period], Answer]


def total(rows: list[Row], column: str) -> int:
    return sum(row[column] or 0 for row in rows)


def share(rows: list[Row], is_it: str) -> Answer:
    return sum(bool(row[is_it]) for row in rows), len(rows)


def known(rows: list[Row]) -> set[str]:
    return {row["customer"] for row in rows if row["customer"]}


def _net(chosen: Facts, period: Period, *, by_refund_day: bool) -> Answer:
    sold = period.of(chosen.orders)
    if by_refund_day:
        back = period.of(chosen.refunds)
    else:
        numbers = {(row["source"], row["order_id"]) for row in sold}
        back = [row for row in chosen.refunds if (row["source"], row["order_id"]) in numbers]
    return total(sold, "gross") - total(back, "amount"), None


def _complaints(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return len(period.of(chosen.complaints)), len(period.of(chosen.orders))


def _repeat(chosen: Facts, whole: Facts, period: Period) -> Answer:
    here, days = known(period.of(chosen.orders)), days_of(period.of(whole.orders))
    twice = sum(len(days[customer]) >= 2 for customer in here)
    return (twice if period.over_for(0) else None), len(here)


def _returning(chosen: Facts, whole: Facts, period: Period) -> Answer:
    here = known(period.of(chosen.orders))
    ever, last = times_of(whole.orders), times_of(period.of(whole.orders))
    back = sum(min(ever[customer]) < max(last[customer]) for customer in here)
    return (back if period.over_for(0) else None), len(here)


def _first_orders(chosen: Facts, whole: Facts, period: Period) -> set[str]:
    first = {customer: min(times) for customer, times in times_of(whole.orders).items()}
    return {row["customer"] for row in period.of(chosen.orders)
            if row["customer"] and row["ordered_at"] == first[row["customer"]]}  # fmt: skip


def _second(within: int) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        cohort, days = _first_orders(chosen, whole, period), days_of(whole.orders)
        again = sum(any(0 < (day - min(days[customer])).days <= within for day in days[customer])
                    for customer in cohort)  # fmt: skip
        return (again if period.over_for(within) else None), len(cohort)

    return formula


def _enrolment(chosen: Facts, whole: Facts, period: Period) -> Answer:
    here = known(period.of(chosen.orders))
    return len(here & known(period.of(whole.enrolled))), len(here)


def _referral(chosen: Facts, whole: Facts, period: Period) -> Answer:
    cohort = _first_orders(chosen, whole, period)
    return len(cohort & known(whole.referred)), len(cohort)


def _recovery(which: Callable[[Row], bool]) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        left = [row for row in period.of(chosen.carts) if row["is_abandoned"] and which(row)]
        back = sum(bool(row["is_recovered"]) for row in left)
        return (back if period.over_for(7) else None), len(left)

    return formula


def _recovered_value(chosen: Facts, whole: Facts, period: Period) -> Answer:
    back = [row for row in period.of(chosen.carts) if row["is_recovered"] and row["is_completed"]]
    return (total(back, "gross") if period.over_for(7) else None), None


def _sign_up(which: str, days: int, among: str | None = None) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        new = [row for row in period.of(chosen.sign_ups) if among is None or row[among]]
        found, people = share(new, which)
        return (found if period.over_for(days) else None), people

    return formula


def _mail(which: str, among: str | None = None) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        return share(
            [row for row in period.of(chosen.emails) if among is None or row[among]], which
        )

    return formula


def _first_response(chosen: Facts, whole: Facts, period: Period) -> Answer:
    seconds = [row["seconds_to_answer"] for row in period.of(chosen.talks)
               if row["is_conversation"] and row["initiated_by"] == "customer"
               and row["seconds_to_answer"] is not None]  # fmt: skip
    return sum(seconds) / 60, len(seconds)


def _resolution(chosen: Facts, whole: Facts, period: Period) -> Answer:
    opened = [row for row in period.of(chosen.talks) if row["is_conversation"]]
    return sum(row["status"] == "closed" for row in opened), len(opened)


def _repeat_contact(chosen: Facts, whole: Facts, period: Period) -> Answer:
    inbound = [row for row in period.of(chosen.talks) if row["initiated_by"] == "customer"]

    def is_again(row: Row) -> bool:
        return bool(row["customer"] and row["topic"]) and any(
            other["customer"] == row["customer"] and other["topic"] == row["topic"]
            and other["initiated_by"] == "customer"
            and timedelta(0) < row["began_at"] - other["began_at"] <= timedelta(7)
            for other in whole.talks
        )  # fmt: skip

    return sum(map(is_again, inbound)), len(inbound)


def _new_reach(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return share([r for r in period.of(chosen.contacts) if r["channel"] == "email"], "is_new_reach")


def _unwanted(chosen: Facts, whole: Facts, period: Period) -> Answer:
    found, people = share(period.of(chosen.contacts), "is_unwanted")
    return (found if period.over_for(3) else None), people


def _calls(chosen: Facts, whole: Facts, period: Period) -> Answer:
    rung = [row for row in period.of(chosen.contacts) if row["is_sales_call"]]
    bought = known([row for row in rung if row["has_ordered"]])
    return (len(bought) if period.over_for(7) else None), len(known(rung))


def _cost(chosen: Facts, whole: Facts, period: Period) -> Answer:
    touched = [row for row in period.of(chosen.contacts) if row["customer"]]
    return total(touched, "cost"), len(known(touched))


def _nps(chosen: Facts, whole: Facts, period: Period) -> Answer:
    scores = [row["score"] for row in period.of(chosen.answers) if row["kind"] == "nps"]
    return 100 * (sum(s >= 9 for s in scores) - sum(s <= 6 for s in scores)), len(scores)


def _csat(chosen: Facts, whole: Facts, period: Period) -> Answer:
    scores = [row["score"] for row in period.of(chosen.answers) if row["kind"] == "csat"]
    return sum(score >= 4 for score in scores), len(scores)


def _reachable(chosen: Facts, whole: Facts, period: Period) -> Answer:
    """Who may be written to, and can be, at the period's end."""
    latest: dict[tuple[str, str, str], tuple[datetime, bool]] = {}
    for word in chosen.consents:
        key = (word["customer"], word["channel"], word["purpose"])
        said = (word["said_at"], not word["is_granted"])
        if word["day"] < period.end and said > latest.get(key, (datetime.min, False)):
            latest[key] = said
    granted = {(customer, channel) for (customer, channel, _), (_, no) in latest.items() if not no}
    there = [row for row in chosen.persons if row["day"] < period.end]
    return sum(
        any((row["customer"], channel) in granted and (row[seen] or date.max) < period.end
            for channel, seen in _NEEDED.items())
        for row in there
    ), len(there)  # fmt: skip


_NEEDED = {"email": "email_on", "sms": "phone_on", "phone": "phone_on", "zalo": "phone_on"}


def _historic(chosen: Facts, whole: Facts, period: Period) -> Answer:
    if not period.start <= period.today < period.end:
        return None, None
    people = {row["customer"] for row in chosen.persons}
    gross = total([row for row in whole.orders if row["customer"] in people], "gross")
    back = total([row for row in whole.refunds if row["customer"] in people], "amount")
    return (gross - back) * 4 / 10, None


def stages(whole: Facts) -> Callable[[str, date], str]:
    """The lifecycle stage of a customer at the close of a day."""
    ordered = {customer: sorted(days) for customer, days in days_of(whole.orders).items()}
    gaps = sorted(
        (after - before).days
        for days in ordered.values() for before, after in pairwise(days)
    )  # fmt: skip
    p40, p80 = percentile(gaps, 0.4), percentile(gaps, 0.8)

    def stage(customer: str, close: date) -> str:
        days = [day for day in ordered.get(customer, []) if day <= close]
        if not days:
            return "lead"
        gap = (close - days[-1]).days
        if gap > p80:
            return "one_and_done" if len(days) == 1 else "lapsed"
        if gap > p40 and len(days) >= 2:
            return "at_risk"
        if len(days) == 1:
            return "first_time"
        return "loyal" if len(days) >= 3 else "repeat"

    return stage


def percentile(ordered: list[int], share_: float) -> float:
    """Between the two nearest values, as far as the share lies between their ranks."""
    place = share_ * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


ACTIVE, LAPSED = {"first_time", "repeat", "loyal", "at_risk"}, {"lapsed", "one_and_done"}


def _moved(was: set[str], becomes: set[str]) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        stage = stages(whole)
        there = {row["customer"] for row in chosen.persons}
        start = {c for c in there if stage(c, period.start - timedelta(1)) in was}
        days = [period.start + timedelta(n) for n in range((period.end - period.start).days)]
        moved = sum(any(stage(customer, day) in becomes for day in days) for customer in start)
        return (moved if period.over_for(0) else None), len(start)

    return formula


FORMULAS: dict[str, Formula] = {
    "customers": lambda chosen, _, period: (len(known(period.of(chosen.orders))), None),
    "orders": lambda chosen, _, period: (len(period.of(chosen.orders)), None),
    "units": lambda chosen, _, period: (total(period.of(chosen.orders), "units"), None),
    "gross_revenue": lambda chosen, _, period: (total(period.of(chosen.orders), "gross"), None),
    "net_revenue_by_order_day": lambda c, _, p: _net(c, p, by_refund_day=False),
    "net_revenue_by_refund_day": lambda c, _, p: _net(c, p, by_refund_day=True),
    "average_order_value": lambda chosen, _, period: (
        total(period.of(chosen.orders), "gross"), len(period.of(chosen.orders))),
    "revenue_unattributed": lambda chosen, _, period: (
        total([r for r in period.of(chosen.orders) if not r["customer"]], "gross"), None),
    "complaint_rate": _complaints,
    "repeat_purchase_rate": _repeat,
    "returning_customer_rate": _returning,
    "second_purchase_rate_30d": _second(30),
    "second_purchase_rate_60d": _second(60),
    "second_purchase_rate_90d": _second(90),
    "loyalty_enrolment_rate": _enrolment,
    "referral_rate": _referral,
    "cart_abandonment_rate": lambda chosen, _, p: share(p.of(chosen.carts), "is_abandoned"),
    "cart_recovery_rate_gross": _recovery(lambda row: True),
    "cart_recovery_rate_reminded": _recovery(lambda row: bool(row["is_reminded"])),
    "cart_recovery_rate_natural": _recovery(lambda row: row["grp"] == "holdout"),
    "recovered_value": _recovered_value,
    "sign_ups": lambda chosen, _, period: (len(period.of(chosen.sign_ups)), None),
    "lead_contact_rate": _sign_up("is_contacted", 7),
    "lead_unqualified_rate": _sign_up("is_unqualified", 7, among="is_contacted"),
    "first_purchase_rate": _sign_up("has_bought", 30),
    "session_conversion_rate": lambda chosen, _, p: share(p.of(chosen.visits), "has_order"),
    "email_delivered_rate": _mail("is_delivered"),
    "bounce_rate": _mail("is_bounced"),
    "open_rate": _mail("is_opened", among="is_delivered"),
    "click_rate": _mail("is_clicked", among="is_delivered"),
    "unsubscribe_rate": _mail("is_unsubscribed", among="is_delivered"),
    "click_to_open_rate": _mail("is_clicked", among="is_opened"),
    "first_response_time": _first_response,
    "resolution_rate": _resolution,
    "repeat_contact_rate": _repeat_contact,
    "new_reach": _new_reach,
    "unwanted_contact_rate": _unwanted,
    "call_conversion_rate": _calls,
    "interaction_cost_per_customer": _cost,
    "reachable_share": _reachable,
    "historic_clv": _historic,
    "became_loyal_rate": _moved({"repeat"}, {"loyal"}),
    "lapse_rate": _moved(ACTIVE, LAPSED),
    "win_back_rate": _moved(LAPSED, ACTIVE),
    "nps": _nps,
    "csat": _csat,
}  # fmt: skip
