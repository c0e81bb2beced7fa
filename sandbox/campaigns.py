"""E-mail campaigns with random holdouts: who was assigned, what was sent, what people did.

Newsletters go out every twelfth day, a thank-you letter every fifteenth from the third week on; one
cart reminder a month writes daily to those who left a cart the day before. A campaign acts only on
treated people: it adds orders (newsletter) or recoveries (reminder) that would not have happened,
with the probabilities in `effects`; a thank-you letter adds nothing. That is the truth which
`truth/effects.parquet` tells and measurement must find.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.accounts import CLEANED, SUBSCRIBED, leave_list
from sandbox.canaries import CANARY_COUNT
from sandbox.delivery import EMAIL, SHOP, Delivery
from sandbox.draw import DAY_SECONDS, Ints, campaign_ids, chance, moments, nulled, take
from sandbox.effects import REMINDER, THANKS, uplift
from sandbox.frames import Frame, append, split_due, where
from sandbox.sizes import MAILING_LIST
from sandbox.world import BROWSE, BUY, NEVER, RECOVER

LIST_NAME = "Sải: bản tin"
AUDIENCES = ["toàn bộ", "gen Z", "gen Y", "bỏ quên giỏ hàng", "toàn bộ"]
TITLES = ["Bản tin", "Bộ sưu tập gen Z", "Chạy bộ cuối tuần", "Nhắc giỏ hàng", "Thư cảm ơn"]
SUBJECTS = ["Mẫu mới tuần này tại Sải", "Phối đồ cùng Sải", "Đôi chạy bộ nào hợp bạn?",
            "Giỏ hàng của bạn vẫn còn đây", "Cảm ơn bạn đã đi cùng Sải"]  # fmt: skip
HOLDOUT = [0.15, 0.15, 0.15, 0.30, 0.50]
_OPENS = np.array([0.24, 0.36, 0.38, 0.30])
_CLICKS = np.array([0.06, 0.07, 0.05, 0.03])
_SEND_HOUR = 9
OPEN, CLICK, HARD, SOFT, UNSUBSCRIBE = range(5)
_COST_PER_MAIL = 60
ADS = {"google": 1_900_000, "facebook": 1_500_000, "tiktok": 1_700_000}  # a day at size S


def run(d: Delivery) -> None:
    """Today's campaigns, then the opens, clicks, bounces and refusals that fall on today."""
    if d.day % 12 == 3:
        _start(d, kind=[0, 1, 0, 2][d.day // 12 % 4])
    if d.day % 15 == 5 and d.day > 14:
        _start(d, kind=THANKS)
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
    if kind in (1, 2):
        emails = emails[generation[mail["person"][emails]] == kind - 1]
    _assign(d, campaign, kind, emails=emails, persons=mail["person"][emails], cart=None)


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
    chosen = where(carts, found)
    _assign(d, campaign, REMINDER, emails=chosen["email"], persons=chosen["person"], cart=chosen)


def _assign(
    d: Delivery, campaign: int, kind: int, *, emails: Ints, persons: Ints, cart: Frame | None
) -> None:
    """Draw the groups, send to the treated, and let the campaign work on some of them."""
    if not len(emails):
        return
    w, rng, n = d.world, d.rng(f"campaign-{campaign}"), len(emails)
    treated = ~chance(rng, HOLDOUT[kind], n)
    worked = treated & chance(rng, uplift(kind, campaign)[w.p["generation"][persons]], n)
    gone = w.p["gone_at"][persons] > 0
    worked &= ~gone
    if cart is not None:
        worked &= cart["natural"] == 0
    at = d.start + _SEND_HOUR * 3_600
    w.frames["assigned"] = append(
        w.frames["assigned"],
        campaign=campaign,
        person=persons,
        treated=treated,
        caused=worked,
        gone=gone,
    )
    identifier = campaign_ids(w.seed, np.full(n, campaign))
    record = pc.binary_join_element_wise(identifier, take(w.emails, emails), "-")
    d.truth(SHOP, "experiments", record, persons)
    d.add(SHOP, "experiments", pa.table({
        "campaign_id": identifier,
        "email": take(w.emails, emails),
        "grp": pa.array(np.where(treated, "treated", "holdout")),
        "holdout_share": pa.array(np.full(n, HOLDOUT[kind])),
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
    _plan_reactions(
        d,
        campaign,
        emails=emails[reached],
        persons=persons[reached],
        worked=worked[reached],
        carts=None if cart is None else cart["cart"][reached],
        rng=rng,
    )


def _plan_mail(d: Delivery, campaign: int, emails: Ints, action: Ints | int, at: Ints) -> None:
    d.world.frames["mail_events"] = append(
        d.world.frames["mail_events"], campaign=campaign, email=emails, action=action, at=at
    )


def _plan_reactions(
    d: Delivery,
    campaign: int,
    *,
    emails: Ints,
    persons: Ints,
    worked: np.ndarray,
    carts: Ints | None,
    rng: np.random.Generator,
) -> None:
    n, generation = len(emails), d.world.p["generation"][persons]
    here = d.world.p["gone_at"][persons] == 0
    clicks = worked | chance(rng, _CLICKS[generation], n) & here
    opens = clicks | chance(rng, _OPENS[generation], n) & here
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
    followed, bounced = acts["action"] == CLICK, acts["action"] >= HARD
    d.add(EMAIL, "activity", pa.table({
        "campaign_id": campaign_ids(w.seed, acts["campaign"]),
        "email_address": take(w.emails, acts["email"]),
        "action": take(["open", "click", "bounce", "bounce"], acts["action"]),
        "activity_type": nulled(take(["", "", "hard", "soft"], acts["action"]), bounced),
        "url": nulled(pa.repeat("https://sai.example/", len(followed)), followed),
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
        "campaign_id": identifier, "list_id": [MAILING_LIST], "title": [title],
        "subject_line": [SUBJECTS[kind]], "status": ["sent"],
        "send_time": moments(row["started_at"], utc=True), "emails_sent": [sent],
    }))  # fmt: skip


def _deliver_ads(d: Delivery) -> None:
    """The month's advertising campaigns with their cost so far: on Mondays and first days."""
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
