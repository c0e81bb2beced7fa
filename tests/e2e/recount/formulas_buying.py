"""Sales, loyalty and repurchase, lifecycle, carts: docs/kpis.md in Python."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise

from tests.e2e.recount.facts import Facts, Row, days_of, times_of
from tests.e2e.recount.period import Answer, Formula, Period, known, total

ACTIVE, LAPSED = {"first_time", "repeat", "loyal", "at_risk"}, {"lapsed", "one_and_done"}


def customers(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return len(known(period.of(chosen.orders))), None


def orders(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return len(period.of(chosen.orders)), None


def units(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return total(period.of(chosen.orders), "units"), None


def gross_revenue(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return total(period.of(chosen.orders), "gross"), None


def average_order_value(chosen: Facts, whole: Facts, period: Period) -> Answer:
    sold = period.of(chosen.orders)
    return total(sold, "gross"), len(sold)


def revenue_unattributed(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return total([row for row in period.of(chosen.orders) if not row["customer"]], "gross"), None


def net_by_refund_day(chosen: Facts, whole: Facts, period: Period) -> Answer:
    back = total(period.of(chosen.refunds), "amount")
    return total(period.of(chosen.orders), "gross") - back, None


def net_by_order_day(chosen: Facts, whole: Facts, period: Period) -> Answer:
    sold = period.of(chosen.orders)
    numbers = {(row["source"], row["order_id"]) for row in sold}
    back = [row for row in chosen.refunds if (row["source"], row["order_id"]) in numbers]
    return total(sold, "gross") - total(back, "amount"), None


def complaints(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return len(period.of(chosen.complaints)), len(period.of(chosen.orders))


def repeat(chosen: Facts, whole: Facts, period: Period) -> Answer:
    here, days = known(period.of(chosen.orders)), days_of(period.of(whole.orders))
    twice = sum(len(days[customer]) >= 2 for customer in here)
    return (twice if period.over_for(0) else None), len(here)


def returning(chosen: Facts, whole: Facts, period: Period) -> Answer:
    here = known(period.of(chosen.orders))
    ever, last = times_of(whole.orders), times_of(period.of(whole.orders))
    back = sum(min(ever[customer]) < max(last[customer]) for customer in here)
    return (back if period.over_for(0) else None), len(here)


def first_orders(chosen: Facts, whole: Facts, period: Period) -> set[str]:
    first = {customer: min(times) for customer, times in times_of(whole.orders).items()}
    return {row["customer"] for row in period.of(chosen.orders)
            if row["customer"] and row["ordered_at"] == first[row["customer"]]}  # fmt: skip


def second(within: int) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        cohort, times = first_orders(chosen, whole, period), times_of(whole.orders)

        def is_again(first: datetime, time: datetime) -> bool:
            return time > first and (time.date() - first.date()).days <= within

        again = sum(any(is_again(min(times[customer]), time) for time in times[customer])
                    for customer in cohort)  # fmt: skip
        return (again if period.over_for(within) else None), len(cohort)

    return formula


def enrolment(chosen: Facts, whole: Facts, period: Period) -> Answer:
    here = known(period.of(chosen.orders))
    return len(here & known(period.of(whole.enrolled))), len(here)


def referral(chosen: Facts, whole: Facts, period: Period) -> Answer:
    cohort = first_orders(chosen, whole, period)
    return len(cohort & known(whole.referred)), len(cohort)


def recovery(which: Callable[[Row], bool]) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        left = [row for row in period.of(chosen.carts) if row["is_abandoned"] and which(row)]
        back = sum(bool(row["is_recovered"]) for row in left)
        return (back if period.over_for(7) else None), len(left)

    return formula


def incremental(chosen: Facts, whole: Facts, period: Period) -> Answer:
    left = [row for row in period.of(chosen.carts) if row["is_abandoned"]]
    treated, held = (
        [row for row in left if row["grp"] == group] for group in ("treated", "holdout")
    )
    if not treated or not held or not period.over_for(7):
        return None, len(treated)
    found = total(treated, "is_recovered")
    return found - Fraction(total(held, "is_recovered") * len(treated), len(held)), len(treated)


def recovered_value(chosen: Facts, whole: Facts, period: Period) -> Answer:
    back = [row for row in period.of(chosen.carts) if row["is_recovered"]]
    return (total(back, "gross") if period.over_for(7) else None), None


def historic(chosen: Facts, whole: Facts, period: Period) -> Answer:
    if not period.start <= period.today < period.end:
        return None, None
    people = {row["customer"] for row in chosen.persons}
    gross = total([row for row in whole.orders if row["customer"] in people], "gross")
    back = total([row for row in whole.refunds if row["customer"] in people], "amount")
    return Fraction(gross - back) * 4 / 10, None


@cache
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


def moved(was: set[str], becomes: set[str]) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        stage = stages(whole)
        there = {row["customer"] for row in chosen.persons}
        start = {c for c in there if stage(c, period.start - timedelta(1)) in was}
        days = [period.start + timedelta(n) for n in range((period.end - period.start).days)]
        moved = sum(any(stage(customer, day) in becomes for day in days) for customer in start)
        return (moved if period.over_for(0) else None), len(start)

    return formula
