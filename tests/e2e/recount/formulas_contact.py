"""Acquisition, engagement and feedback: docs/kpis.md in Python."""

from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache

from tests.e2e.recount.facts import Facts
from tests.e2e.recount.period import Answer, Formula, Period, known, share, total

# What somebody must have shown to be reached on a channel, as columns of `persons`.
# What each channel can do with: one of these, from the day on.
_NEEDED = {
    "email": ("email_on",),
    **dict.fromkeys(("sms", "phone", "zalo"), ("phone_on",)),
    "push": ("account_on",),
    "ads": ("email_on", "phone_on"),
}


def sign_up(which: str, days: int, among: str | None = None) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        new = [row for row in period.of(chosen.sign_ups) if among is None or row[among]]
        found, people = share(new, which)
        return (found if period.over_for(days) else None), people

    return formula


def mail(which: str, among: str | None = None) -> Formula:
    def formula(chosen: Facts, whole: Facts, period: Period) -> Answer:
        return share(
            [row for row in period.of(chosen.emails) if among is None or row[among]], which
        )

    return formula


def first_response(chosen: Facts, whole: Facts, period: Period) -> Answer:
    seconds = [row["seconds_to_answer"] for row in period.of(chosen.talks)
               if row["is_conversation"] and row["initiated_by"] == "customer"
               and row["seconds_to_answer"] is not None]  # fmt: skip
    return Fraction(sum(seconds), 60), len(seconds)


def resolution(chosen: Facts, whole: Facts, period: Period) -> Answer:
    opened = [row for row in period.of(chosen.talks) if row["is_conversation"]]
    return sum(row["status"] == "closed" for row in opened), len(opened)


@cache
def asked(whole: Facts) -> dict[tuple[str, str], list[datetime]]:
    """When each customer turned to the business about each topic."""
    times: dict[tuple[str, str], list[datetime]] = {}
    for row in whole.talks:
        if row["initiated_by"] == "customer" and row["customer"] and row["topic"]:
            times.setdefault((row["customer"], row["topic"]), []).append(row["began_at"])
    return times


def repeat_contact(chosen: Facts, whole: Facts, period: Period) -> Answer:
    inbound = [row for row in period.of(chosen.talks) if row["initiated_by"] == "customer"]
    again = [
        any(
            timedelta(0) < row["began_at"] - before <= timedelta(7)
            for before in asked(whole).get((row["customer"], row["topic"]), [])
        )
        for row in inbound
    ]
    return sum(again), len(inbound)


def new_reach(chosen: Facts, whole: Facts, period: Period) -> Answer:
    return share([r for r in period.of(chosen.contacts) if r["is_recipient"]], "is_new_reach")


def unwanted(chosen: Facts, whole: Facts, period: Period) -> Answer:
    found, people = share(period.of(chosen.contacts), "is_unwanted")
    return (found if period.over_for(3) else None), people


def calls(chosen: Facts, whole: Facts, period: Period) -> Answer:
    rung = [row for row in period.of(chosen.contacts) if row["is_sales_call"]]
    bought = known([row for row in rung if row["has_ordered"]])
    return (len(bought) if period.over_for(7) else None), len(known(rung))


def cost(chosen: Facts, whole: Facts, period: Period) -> Answer:
    touched = [row for row in period.of(chosen.contacts) if row["customer"]]
    return total(touched, "cost"), len(known(touched))


def nps(chosen: Facts, whole: Facts, period: Period) -> Answer:
    scores = [row["score"] for row in period.of(chosen.answers) if row["kind"] == "nps"]
    return 100 * (sum(s >= 9 for s in scores) - sum(s <= 6 for s in scores)), len(scores)


def csat(chosen: Facts, whole: Facts, period: Period) -> Answer:
    scores = [row["score"] for row in period.of(chosen.answers) if row["kind"] == "csat"]
    return sum(score >= 4 for score in scores), len(scores)


def reachable(chosen: Facts, whole: Facts, period: Period) -> Answer:
    """Who may be written to, and can be, at the period's end."""
    latest: dict[tuple[str, str, str], tuple[datetime, bool]] = {}
    for word in chosen.consents:
        key = (word["customer"], word["channel"], word["purpose"])
        said = (word["said_at"], not word["is_granted"])
        if word["day"] < period.end:
            latest[key] = max(said, latest.get(key, said))
    granted = {(customer, channel) for (customer, channel, _), (_, no) in latest.items() if not no}
    there = [row for row in chosen.persons if row["day"] < period.end]
    return sum(
        any((row["customer"], channel) in granted
            and min(row[day] or date.max for day in days) < period.end
            for channel, days in _NEEDED.items())
        for row in there
    ), len(there)  # fmt: skip
