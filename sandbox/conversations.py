"""Talks with customers: live chat during a visit, Zalo, and those that an order leads to.

A conversation is written when it begins and again on each later day on which it is answered or
closed. Some are never answered, some stay open, and some people ask again about the same thing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sandbox.delivery import CRM, Delivery, open_hours
from sandbox.draw import (
    DAY_SECONDS,
    Bools,
    Ints,
    chance,
    label,
    label_where,
    moments,
    nulled,
    pick,
    pick_by_row,
    take,
    uuids,
)
from sandbox.frames import Frame, append, rows, split_due, where
from sandbox.web_orders import COMPLETED
from sandbox.world import NEVER

LIVECHAT, ZALO = 0, 1
QUESTION, COMPLAINT, CARE, FEEDBACK = range(4)
CHANNELS = ["livechat", "zalo"]
CLASSES = ["question", "complaint", "care", "feedback"]
SENTIMENTS = ["positive", "neutral", "negative"]
IN_STOCK, CLUB = 1, 5
TOPICS = ["chọn cỡ", "còn hàng ở cửa hàng", "giao hàng", "khuyến mãi", "mẫu mới", "câu lạc bộ chạy",
          "chất lượng", "đổi trả", "nhân viên", "bảo quản giày"]  # fmt: skip
# Weights of the topics: questions by value (`names.VALUES`), the other classes.
_QUESTION_TOPICS = [[20, 20, 10, 8, 34, 4, 2, 4, 0, 2], [26, 24, 10, 4, 6, 3, 18, 6, 0, 6],
                    [18, 18, 16, 36, 4, 2, 2, 6, 0, 1],
                    [20, 20, 8, 6, 8, 28, 2, 4, 0, 2]]  # fmt: skip
_CLASS_TOPICS = [[3, 0, 34, 4, 0, 0, 30, 22, 8, 0], [10, 0, 4, 0, 0, 6, 0, 12, 0, 68],
                 [2, 0, 10, 4, 14, 22, 30, 4, 14, 0]]  # fmt: skip
_SENTIMENT = [[25, 65, 10], [3, 27, 70], [50, 45, 5], [50, 30, 20]]
_CHATS_PER_VISIT = np.array([0.05, 0.05, 0.04, 0.08])  # by value
_ZALO_PER_DAY = np.array([0.0014, 0.0010, 0.0010, 0.0022])
_ZALO_CLASSES = [72, 10, 4, 14]
_ANSWER_SECONDS = np.array([240, 2_400])  # by channel, on average
_ANSWERED, _CLOSED = 0.92, 0.8
_GIVES_PHONE = np.array([0.6, 0.85])
AGENTS = 9


def run(d: Delivery, v: Frame, settled: Frame) -> None:
    """Conversations that begin or change today."""
    rng, frames = d.rng("conversations"), d.world.frames
    due, waiting = split_due(frames["conversations"], d.end)
    again, changed = (where(due, due["conversation"] == NEVER),
                      where(due, due["conversation"] != NEVER))  # fmt: skip
    frames["conversations"] = again
    _live_chats(d, v, rng)
    _zalo(d, rng)
    _after_orders(d, settled, rng)
    began = _begin(d, frames["conversations"], rng)
    _lead_to_stores(d, began, rng)
    changed = {name: np.concatenate([changed[name], began[name]]) for name in changed}
    _deliver(d, changed)
    later = np.minimum(_after(changed["answered_at"], d.end), _after(changed["closed_at"], d.end))
    changed["at"] = later
    frames["conversations"] = append(waiting, **where(changed, later < _NEVER_AGAIN))
    _follow_ups(d, began, rng)


_NEVER_AGAIN = 2**62


def _after(at: Ints, moment: int) -> Ints:
    return np.where(at >= moment, at, _NEVER_AGAIN)


def plan(
    d: Delivery,
    rng: np.random.Generator,
    persons: Ints,
    at: Ints,
    *,
    about: Ints | int,
    channel: int = ZALO,
    initiated: Ints | int = 0,
    order: Ints | int = NEVER,
    **visitor: Ints,
) -> None:
    """Conversations to come, at local seconds `at`: who, of which class, on whose screen."""
    n, p = len(persons), d.world.p
    klass = np.broadcast_to(about, n)
    of_value = pick_by_row(rng, _QUESTION_TOPICS, p["value"][persons])
    topic = np.where(klass == QUESTION, of_value,
                     pick_by_row(rng, _CLASS_TOPICS, np.maximum(klass, 1) - 1))  # fmt: skip
    unknown = visitor.get("account", np.full(n, NEVER)) < 0
    tells = unknown & chance(rng, _GIVES_PHONE[channel], n)
    d.world.frames["conversations"] = append(
        d.world.frames["conversations"], conversation=NEVER, person=persons, channel=channel,
        initiated=initiated, topic=topic, **{"class": klass},
        mood=pick_by_row(rng, _SENTIMENT, klass), agent=rng.integers(1, AGENTS + 1, n),
        visitor=visitor.get("visitor", np.full(n, NEVER)),
        account=visitor.get("account", np.full(n, NEVER)),
        phone=np.where(tells, p["phone"][persons], NEVER),
        email=np.where(unknown & chance(rng, 0.1, n), p["email0"][persons], NEVER),
        named=chance(rng, 0.88, n), style=d.styles(rng, persons), order=order, opened_at=at,
        answered_at=0, closed_at=0, at=at,
    )  # fmt: skip


def _live_chats(d: Delivery, v: Frame, rng: np.random.Generator) -> None:
    """During a visit, on the visitor's own screen."""
    person, n = v["person"], rows(v)
    wants = chance(rng, _CHATS_PER_VISIT[d.world.p["value"][person]], n)
    asks = np.flatnonzero(wants & (v["device"] >= d.world.size.stores) & (v["views"] > 0))
    device, m = v["device"][asks], len(asks)
    plan(
        d, rng, person[asks], v["at"][asks] + rng.integers(60, 240, m),
        about=pick(rng, [80, 7, 3, 10], m), channel=LIVECHAT,
        visitor=device * 1_000 + d.world.device["cookie"][device],
        account=np.where(chance(rng, 0.8, m), v["user"][asks], NEVER),
    )  # fmt: skip


def _zalo(d: Delivery, rng: np.random.Generator) -> None:
    p, n = d.world.p, len(d.world)
    writes = chance(rng, _ZALO_PER_DAY[p["value"]] * d.world.size.pace, n)
    persons = np.flatnonzero(writes & d.world.here())
    at = d.start + rng.integers(7 * 3_600, 23 * 3_600, len(persons))
    plan(d, rng, persons, at, about=pick(rng, _ZALO_CLASSES, len(persons)))


def _after_orders(d: Delivery, settled: Frame, rng: np.random.Generator) -> None:
    """Complaints and questions about an order that arrived, and the shop's own word of care."""
    arrived = where(settled, settled["status"] == COMPLETED)
    fate = pick(rng, [5, 5, 6, 84], rows(arrived))  # complaint, question, care by the shop, none
    talked = where(arrived, fate < 3)
    fate = fate[fate < 3]
    at = d.start + rng.integers(9 * 3_600, 22 * 3_600, rows(talked))
    plan(d, rng, talked["person"], at, about=np.array([COMPLAINT, QUESTION, CARE])[fate],
         initiated=(fate == 2).astype(np.int64), order=talked["order"])  # fmt: skip


def _begin(d: Delivery, c: Frame, rng: np.random.Generator) -> Frame:
    """Numbers and the fate of what begins today."""
    n = rows(c)
    c = where(c, np.argsort(c["opened_at"], kind="stable"))
    c["conversation"] = d.world.issue("conversation", n)
    answered = chance(rng, np.where(c["initiated"] == 1, 0.5, _ANSWERED), n)
    wait = rng.exponential(_ANSWER_SECONDS[c["channel"]], n).astype(np.int64) + 20
    hour = c["opened_at"] % DAY_SECONDS // 3_600
    morning = c["opened_at"] // DAY_SECONDS * DAY_SECONDS + 8 * 3_600
    morning += np.where(hour >= 22, DAY_SECONDS, 0)
    awake = (hour >= 8) & (hour < 22)
    c["answered_at"] = np.where(answered, np.where(awake, c["opened_at"], morning) + wait, 0)
    closes = chance(rng, np.where(answered, _CLOSED, 0.25), n)
    lasts = rng.exponential(5_400, n).astype(np.int64) + 60
    end = np.where(answered, c["answered_at"] + lasts, c["opened_at"] + 2 * DAY_SECONDS)
    c["closed_at"] = np.where(closes, end, 0)
    d.truth(CRM, "conversations", label("HT", c["conversation"]), c["person"])
    return c


def _lead_to_stores(d: Delivery, c: Frame, rng: np.random.Generator) -> None:
    """Some who asked on the web buy in a store, above all who asked what is in stock."""
    n = rows(c)
    wants = chance(rng, np.where(c["topic"] == IN_STOCK, 0.3, 0.05), n)
    goes = np.flatnonzero(wants & (c["channel"] == LIVECHAT) & (c["class"] == QUESTION))
    m = len(goes)
    at = c["opened_at"][goes] + rng.integers(1, 5, m) * DAY_SECONDS + rng.integers(0, 40_000, m)
    d.cause("chat", c["person"][goes], at, in_store=np.ones(m, bool))


def _follow_ups(d: Delivery, c: Frame, rng: np.random.Generator) -> None:
    """The same person about the same thing, within a week."""
    unhappy = np.where(c["class"] == COMPLAINT, 0.2, 0.07)
    share = np.where(c["answered_at"] == 0, 0.35, unhappy) * (c["initiated"] == 0)
    again = where(c, chance(rng, share, rows(c)))
    n = rows(again)
    at = open_hours(again["opened_at"] + rng.integers(1, 6, n) * DAY_SECONDS + rng.integers(
        0, 40_000, n))  # fmt: skip
    again |= {"conversation": np.full(n, NEVER), "opened_at": at, "at": at}
    d.world.frames["conversations"] = append(d.world.frames["conversations"], **again)


def _deliver(d: Delivery, c: Frame) -> None:
    """Rows as the inbox shows them at the end of the day."""

    def known(at: Ints) -> Bools:
        return (at > 0) & (at < d.end)

    answered, closed = known(c["answered_at"]), known(c["closed_at"])
    updated = np.maximum(c["opened_at"], np.where(answered, c["answered_at"], 0))
    updated = np.maximum(updated, np.where(closed, c["closed_at"], 0))
    on_zalo = c["channel"] == ZALO
    named = (c["named"] == 1) & ((c["phone"] >= 0) | (c["email"] >= 0) | on_zalo)
    agents = pc.binary_join_element_wise("nv", pc.cast(pa.array(c["agent"]), pa.string()), "-")
    d.add(CRM, "conversations", pa.table({
        "conversation_id": label("HT", c["conversation"]),
        "channel": take(CHANNELS, c["channel"]),
        "visitor_id": nulled(uuids(d.world.seed, 1, np.maximum(c["visitor"], 0)),
                             c["visitor"] >= 0),
        "user_id": label_where("U", c["account"], c["account"] >= 0),
        "zalo_id": label_where("Z", c["person"] * 7_919 % 99_999_989, on_zalo, 8),
        "phone": d.typed_phone(c["phone"], c["style"]),
        "email": d.typed_email(c["email"], c["style"]),
        "full_name": nulled(d.typed_name(c["person"], c["style"]), named),
        "initiated_by": take(["customer", "business"], c["initiated"]),
        "status": take(["open", "closed"], closed.astype(np.int64)),
        "topic": take(TOPICS, c["topic"]), "content_class": take(CLASSES, c["class"]),
        "sentiment": take(SENTIMENTS, c["mood"]),
        "agent": nulled(agents, answered),
        "order_id": label_where("W", c["order"], c["order"] >= 0),
        "opened_at": moments(c["opened_at"]),
        "first_answered_at": moments(c["answered_at"], known=answered),
        "closed_at": moments(c["closed_at"], known=closed), "updated_at": moments(updated),
    }))  # fmt: skip
