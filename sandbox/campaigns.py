"""E-mail campaigns with random holdouts: who was assigned, what was sent, what people did.

Newsletters go out every twelfth day; one cart reminder a month writes daily to those who left a
cart the day before. A campaign acts only on treated people: it adds orders (newsletter) or
recoveries (reminder) that would not have happened, with the probabilities below. That is the
truth which `truth/effects.parquet` tells and measurement must find.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox import names
from sandbox.accounts import CLEANED, SUBSCRIBED, leave_list
from sandbox.canaries import CANARY_COUNT
from sandbox.delivery import EMAIL, SHOP, Delivery
from sandbox.draw import DAY_SECONDS, Ints, campaign_ids, chance, moments, take
from sandbox.frames import append, split_due, where
from sandbox.visits import BROWSE, BUY, RECOVER
from sandbox.world import NEVER, World

LIST_ID = "khach00001"
LIST_NAME = "Sải: bản tin"
REMINDER = 3
AUDIENCES = ["toàn bộ", "gen Z", "gen Y", "bỏ quên giỏ hàng"]
TITLES = ["Bản tin", "Bộ sưu tập gen Z", "Chạy bộ cuối tuần", "Nhắc giỏ hàng"]
SUBJECTS = ["Mẫu mới tuần này tại Sải", "Phối đồ cùng Sải", "Đôi chạy bộ nào hợp bạn?",
            "Giỏ hàng của bạn vẫn còn đây"]  # fmt: skip
HOLDOUT = [0.15, 0.15, 0.15, 0.30]
# Extra orders (newsletters) or recovered carts (reminder) per treated person, by generation.
UPLIFT = np.array([[0.040, 0.030, 0.015, 0.010], [0.060, 0.030, 0.015, 0.010],
                   [0.030, 0.050, 0.015, 0.010], [0.20, 0.14, 0.10, 0.05]])  # fmt: skip
_STRENGTH = [1.0, 0.6, 1.4]
_OPENS = np.array([0.24, 0.36, 0.38, 0.30])
_CLICKS = np.array([0.06, 0.07, 0.05, 0.03])
_SEND_HOUR = 9
OPEN, CLICK, HARD, SOFT, UNSUBSCRIBE = range(5)
_COST_PER_MAIL = 60
ADS = {"google": 1_900_000, "facebook": 1_500_000, "tiktok": 1_700_000}  # a day at size S


def uplift(kind: int, campaign: int) -> np.ndarray:
    """The true effect of a campaign by generation; reminders are all alike."""
    return UPLIFT[kind] * (1.0 if kind == REMINDER else _STRENGTH[campaign % 3])


def run(d: Delivery) -> None:
    """Today's campaigns, then the opens, clicks, bounces and refusals that fall on today."""
    if d.day % 12 == 3:
        _start(d, kind=[0, 1, 0, 2][d.day // 12 % 4])
    if d.day % 30 == 1:
        _start(d, kind=REMINDER)
    campaigns = d.world.frames["campaigns"]
    reminders = campaigns["campaign"][campaigns["kind"] == REMINDER]
    if len(reminders):
        _remind(d, int(reminders[-1]))
    _deliver_activity(d)
    _deliver_ads(d)


def _start(d: Delivery, kind: int) -> None:
    campaign = int(d.world.issue("campaign", 1)[0])
    at = d.start + _SEND_HOUR * 3_600
    d.world.frames["campaigns"] = append(
        d.world.frames["campaigns"], campaign=[campaign], kind=kind, started_at=at, sent=0
    )
    if kind == REMINDER:
        _deliver_campaign(d, campaign)
        return
    mail, generation = d.world.mail, d.world.p["generation"]
    emails = np.flatnonzero(mail["status"] == SUBSCRIBED)
    _, first = np.unique(mail["person"][emails], return_index=True)
    emails = emails[np.sort(first)]  # one address per person, so that groups stay apart
    if kind:
        emails = emails[generation[mail["person"][emails]] == kind - 1]
    _assign(d, campaign, kind, emails, mail["person"][emails], cart=None)


def _remind(d: Delivery, campaign: int) -> None:
    """Assign those who left a cart yesterday, each once per reminder campaign."""
    w = d.world
    carts = where(w.frames["carts"], w.frames["carts"]["at"] >= d.start - 8 * DAY_SECONDS)
    w.frames["carts"] = carts
    assigned = w.frames["assigned"]
    already = assigned["person"][assigned["campaign"] == campaign]
    fresh = (carts["at"] >= d.start - DAY_SECONDS) & (carts["email"] >= 0)
    fresh &= ~np.isin(carts["person"], already)
    fresh &= w.mail["status"][np.maximum(carts["email"], 0)] == SUBSCRIBED
    fresh &= w.mail["person"][np.maximum(carts["email"], 0)] == carts["person"]
    found = np.flatnonzero(fresh)
    last = found[::-1]  # the latest cart of each person
    found = np.sort(last[np.unique(carts["person"][last], return_index=True)[1]])
    _assign(d, campaign, REMINDER, carts["email"][found], carts["person"][found],
            cart=where(carts, found))  # fmt: skip


def _assign(
    d: Delivery, campaign: int, kind: int, emails: Ints, persons: Ints, cart: dict | None
) -> None:
    """Draw the groups, send to the treated, and let the campaign work on some of them."""
    if not len(emails):
        return
    w, rng, n = d.world, d.rng(f"campaign-{campaign}"), len(emails)
    treated = ~chance(rng, HOLDOUT[kind], n)
    worked = treated & chance(rng, uplift(kind, campaign)[w.p["generation"][persons]], n)
    if cart is not None:
        worked &= cart["natural"] == 0
    at = d.start + _SEND_HOUR * 3_600
    w.frames["assigned"] = append(
        w.frames["assigned"], campaign=campaign, person=persons, treated=treated, caused=worked
    )
    d.add(SHOP, "experiments", pa.table({
        "campaign_id": campaign_ids(w.seed, np.full(n, campaign)),
        "email": take(w.emails, emails),
        "grp": pa.array(np.where(treated, "treated", "holdout")),
        "assigned_at": moments(np.full(n, at - 1_800)),
    }))  # fmt: skip
    hard, soft = chance(rng, 0.004, n) & ~worked, chance(rng, 0.006, n) & ~worked
    hard &= persons >= CANARY_COUNT
    status = np.where(hard, 1, np.where(soft, 2, 0))
    d.add(EMAIL, "sends", pa.table({
        "campaign_id": campaign_ids(w.seed, np.full(int(treated.sum()), campaign)),
        "email_address": take(w.emails, emails[treated]),
        "status": take(["sent", "hard", "soft"], status[treated]),
    }))  # fmt: skip
    sent = w.frames["campaigns"]
    sent["sent"][sent["campaign"] == campaign] += int(treated.sum())
    _deliver_campaign(d, campaign)
    bounced = treated & (hard | soft)
    _plan_mail(d, campaign, emails[bounced], np.where(hard, HARD, SOFT)[bounced],
               np.full(int(bounced.sum()), at + 60))  # fmt: skip
    reached = treated & ~bounced
    _plan_reactions(d, campaign, emails[reached], persons[reached], worked[reached],
                    None if cart is None else cart["cart"][reached], rng)  # fmt: skip


def _plan_mail(d: Delivery, campaign: int, emails: Ints, action: Ints | int, at: Ints) -> None:
    d.world.frames["mail_events"] = append(
        d.world.frames["mail_events"], campaign=campaign, email=emails, action=action, at=at
    )


def _plan_reactions(
    d: Delivery,
    campaign: int,
    emails: Ints,
    persons: Ints,
    worked: np.ndarray,
    carts: Ints | None,
    rng: np.random.Generator,
) -> None:
    n, generation = len(emails), d.world.p["generation"][persons]
    clicks = worked | chance(rng, _CLICKS[generation], n)
    opens = clicks | chance(rng, _OPENS[generation], n)
    sent_at = d.start + _SEND_HOUR * 3_600
    opened_at = sent_at + np.minimum(rng.exponential(8 * 3_600, n), 2.5 * DAY_SECONDS).astype(int)
    clicked_at = opened_at + rng.integers(20, 400, n)
    _plan_mail(d, campaign, emails[opens], OPEN, opened_at[opens])
    _plan_mail(d, campaign, emails[clicks], CLICK, clicked_at[clicks])
    again = opens & chance(rng, 0.2, n)
    _plan_mail(d, campaign, emails[again], OPEN, opened_at[again] + 7_200)
    leaves = opens & ~worked & chance(rng, 0.012, n) & (persons >= CANARY_COUNT)
    _plan_mail(d, campaign, emails[leaves], UNSUBSCRIBE, opened_at[leaves] + 40)
    why = np.where(worked, BUY if carts is None else RECOVER, BROWSE)
    cart = np.where(worked, NEVER if carts is None else carts, NEVER)
    d.world.frames["visits"] = append(
        d.world.frames["visits"], person=persons[clicks], at=clicked_at[clicks] + 5,
        campaign=campaign, why=why[clicks], cart=cart[clicks], caused=worked[clicks],
    )  # fmt: skip


def _deliver_activity(d: Delivery) -> None:
    w = d.world
    due, w.frames["mail_events"] = split_due(w.frames["mail_events"], d.end)
    acts = where(due, due["action"] <= SOFT)
    followed = acts["action"] == CLICK
    d.add(EMAIL, "activity", pa.table({
        "campaign_id": campaign_ids(w.seed, acts["campaign"]),
        "email_address": take(w.emails, acts["email"]),
        "action": take(["open", "click", "bounce", "bounce"], acts["action"]),
        "activity_type": take([None, None, "hard", "soft"], acts["action"]),
        "url": pa.array(np.where(followed, "https://sai.example/", None), pa.string()),
        "occurred_at": moments(acts["at"], utc=True),
    }))  # fmt: skip
    leave_list(d, acts["email"][acts["action"] == HARD], acts["at"][acts["action"] == HARD],
               CLEANED)  # fmt: skip
    gone = where(due, due["action"] == UNSUBSCRIBE)
    leave_list(d, gone["email"], gone["at"])
    d.add(EMAIL, "unsubscribes", pa.table({
        "campaign_id": campaign_ids(w.seed, gone["campaign"]),
        "email_address": take(w.emails, gone["email"]),
        "reason": take(["Too many emails", "No longer interested"], gone["email"] % 2),
        "occurred_at": moments(gone["at"], utc=True),
    }))  # fmt: skip


def _deliver_campaign(d: Delivery, campaign: int) -> None:
    """The campaign's row, in the shop's list and at the e-mail platform."""
    table = d.world.frames["campaigns"]
    row = where(table, table["campaign"] == campaign)
    kind, sent = int(row["kind"][0]), int(row["sent"][0])
    identifier = campaign_ids(d.world.seed, row["campaign"])
    title = f"{TITLES[kind]} {campaign:02d}"
    d.add(SHOP, "campaigns", pa.table({
        "campaign_id": identifier, "channel": ["email"], "name": [title],
        "audience": [AUDIENCES[kind]], "started_at": moments(row["started_at"]),
        "cost": [sent * _COST_PER_MAIL],
    }))  # fmt: skip
    d.add(EMAIL, "campaigns", pa.table({
        "campaign_id": identifier, "list_id": [LIST_ID], "title": [title],
        "subject_line": [SUBJECTS[kind]], "status": ["sent"],
        "send_time": moments(row["started_at"], utc=True), "emails_sent": [sent],
    }))  # fmt: skip


def _deliver_ads(d: Delivery) -> None:
    """The month's advertising campaigns with their cost so far, every Monday and on the first day."""
    today = d.world.date_of(d.day)
    if d.day and today.weekday() and today.day != 1:
        return
    cost = [int(daily * today.day * d.world.size.people / 5_000) for daily in ADS.values()]
    month = today.strftime("%Y-%m")
    d.add(SHOP, "campaigns", pa.table({
        "campaign_id": [f"ads-{month}-{name}" for name in ADS], "channel": ["ads"] * len(ADS),
        "name": [f"{name} {month}" for name in ADS], "audience": ["quảng cáo"] * len(ADS),
        "started_at": moments(np.full(len(ADS), d.start - (today.day - 1) * DAY_SECONDS)),
        "cost": cost,
    }))  # fmt: skip


def effects(world: World) -> pa.Table:
    """True effects so far: campaign x generation.

    `uplift` is the extra orders (metric `orders`) or recovered carts (`cart_recoveries`) per
    treated person; for reminders it applies to carts that would not have come back by themselves.
    `caused_count` is how many the campaign really caused.
    """
    assigned, campaigns = world.frames["assigned"], world.frames["campaigns"]
    kinds = dict(zip(campaigns["campaign"].tolist(), campaigns["kind"].tolist(), strict=True))
    generation = world.p["generation"][assigned["person"]]
    key = assigned["campaign"] * 4 + generation
    found, place = np.unique(key, return_inverse=True)
    treated = np.bincount(place, weights=assigned["treated"], minlength=len(found)).astype(int)
    everybody = np.bincount(place, minlength=len(found))
    caused = np.bincount(place, weights=assigned["caused"], minlength=len(found)).astype(int)
    number, gen = found // 4, found % 4
    kind = np.array([kinds[int(c)] for c in number], np.int64)
    true = [uplift(int(k), int(c))[g] for k, c, g in zip(kind, number, gen, strict=True)]
    return pa.table({
        "campaign_id": campaign_ids(world.seed, number),
        "segment": take(names.GENERATIONS, gen),
        "metric": take(["orders", "cart_recoveries"], (kind == REMINDER).astype(np.int64)),
        "uplift": pa.array(true, pa.float64()),
        "treated_count": treated, "holdout_count": everybody - treated, "caused_count": caused,
    })  # fmt: skip
