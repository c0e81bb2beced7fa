"""Web events in Segment's shape, as NDJSON lines: from visits to bytes.

numpy unrolls visits into events, one DuckDB query writes the JSON. Some lines come twice, some
late (a phone that was offline, up to 3 days), some are broken.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sandbox import catalogue
from sandbox.delivery import WEB, Delivery
from sandbox.draw import (
    DAY_SECONDS,
    Ints,
    campaign_ids,
    chance,
    label,
    label_where,
    moments,
    nulled,
    take,
    uuids,
)
from sandbox.frames import Frame, rows
from sandbox.segment import LINES
from sandbox.visits import MAX_VIEWS, NEWSLETTER, SOURCES
from sandbox.world import NEVER

HOME, IDENTIFY, SEARCH, PAGE, VIEWED, ADDED, CART, CHECKOUT, ALIAS, SIGNED_UP, ORDERED = range(11)
DUPLICATE_SHARE, LATE_SHARE, MALFORMED_SHARE = 0.014, 0.018, 0.0016
LOST_ORDER_EVENTS = 0.02  # ad blockers and closed tabs
MAX_LATE_SECONDS = 3 * DAY_SECONDS - 7 * 3_600

_AGENTS = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 15; SM-A556E) AppleWebKit/537.36 Chrome/136.0 Mobile Safari/537",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/136.0 Safari/537.36",
]
_DEVICE_TYPES = ["ios", "android", "desktop"]


def deliver(d: Delivery, v: Frame) -> None:
    """Today's lines: what was received before midnight; the rest waits in the world."""
    rng, w = d.rng("events"), d.world
    e = _with_delays(d, _unroll(d, v, rng), v, rng)
    visits = _visit_strings(d, v)
    for name, table in (("events", _event_table(d, e)), ("visits", visits),
                        ("products", _products())):  # fmt: skip
        d.con.register(name, table)
    lines = d.con.execute(LINES).to_arrow_table()
    for name in ("events", "visits", "products"):
        d.con.unregister(name)
    _truth(d, v, visits)
    if w.late_lines is not None:
        lines = pa.concat_tables([w.late_lines, lines])
    is_due = np.asarray(lines["received_ms"]) < d.end * 1_000
    w.late_lines = lines.filter(pa.array(~is_due))
    d.add(WEB, "lines", lines.filter(pa.array(is_due)).select(["line"]))


def _unroll(d: Delivery, v: Frame, rng: np.random.Generator) -> Frame:
    """One row per event: visit, code, place in the visit, product slot, time in milliseconds."""
    n = rows(v)
    everyone = np.arange(n)
    browses = v["views"] > 0
    tablet = v["device"] < d.world.size.stores
    has_cart = (v["adds"] > 0) | (v["order"] == 1)
    blocks = [
        (everyone[~tablet], HOME, 0, -1), (everyone[v["login"] == 1], IDENTIFY, 1, -1),
        (everyone[v["search"] == 1], SEARCH, 2, 0),
        (everyone[has_cart & chance(rng, 0.8, n)], CART, 50, -1),
        (everyone[v["checkout"] == 1], CHECKOUT, 60, -1),
        (everyone[v["signup"] == 1], SIGNED_UP, 61, -1),
        (everyone[v["signup"] == 1], IDENTIFY, 62, -1),
        (everyone[(v["signup"] == 1) & chance(rng, 0.5, n)], ALIAS, 63, -1),
        (everyone[(v["order"] == 1) & ~chance(rng, LOST_ORDER_EVENTS, n)], ORDERED, 80, -1),
    ]  # fmt: skip
    for slot in range(MAX_VIEWS):
        seen = everyone[browses & (v["views"] > slot) & ~tablet]
        blocks += [(seen, PAGE, 10 + 4 * slot, slot), (seen, VIEWED, 11 + 4 * slot, slot)]
        if slot < 3:
            added = everyone[(v["adds"] > slot) & browses]
            blocks.append((added, ADDED, 12 + 4 * slot, slot))
    visit = np.concatenate([block[0] for block in blocks])
    sizes = [len(block[0]) for block in blocks]
    code, place, slot_of = (np.repeat([block[i] for block in blocks], sizes) for i in (1, 2, 3))
    order = np.lexsort((place, visit))
    e: Frame = {"visit": visit[order], "code": code[order], "place": place[order]}
    slot_of = slot_of[order]
    seen = np.stack([v[f"v{i}"] for i in range(MAX_VIEWS)], axis=1)
    e["product"] = np.where(slot_of >= 0, seen[e["visit"], slot_of], NEVER)
    quantity = np.stack([v[f"q{i}"] for i in range(3)], axis=1)
    e["quantity"] = quantity[e["visit"], np.clip(slot_of, 0, 2)]
    e["price"] = d.world.prices[np.maximum(e["product"], 0)]
    e["at_ms"] = _times(v, e["visit"], rng)
    signed_up = v["signup"][e["visit"]] == 1
    known = (v["user"][e["visit"]] >= 0) & (~signed_up | (e["place"] >= 61))
    e["is_known"] = known & ((e["code"] != HOME) | (v["login"][e["visit"]] == 0))
    return e


def _times(v: Frame, visit: Ints, rng: np.random.Generator) -> Ints:
    """Event times: gaps of seconds to minutes after the start of the visit."""
    gaps = np.minimum(rng.exponential(32_000, len(visit)) + 900, 90_000).astype(np.int64)
    total = np.cumsum(gaps)
    first = np.searchsorted(visit, np.arange(rows(v)))
    base = np.append(total, 0)[np.minimum(first, len(total))]
    return v["at"][visit] * 1_000 + total - base[visit]


def _with_delays(d: Delivery, e: Frame, v: Frame, rng: np.random.Generator) -> Frame:
    """Sent and received times, event numbers, and the lines that are delivered twice."""
    n = len(e["visit"])
    offline = np.where(chance(rng, LATE_SHARE, rows(v)),
                       rng.integers(3_600, MAX_LATE_SECONDS, rows(v)), 0)  # fmt: skip
    e["event_number"] = d.world.issue("event", n)
    e["sent_ms"] = e["at_ms"] + rng.integers(20, 900, n) + offline[e["visit"]] * 1_000
    e["received_ms"] = e["sent_ms"] + rng.integers(30, 400, n)
    twice = np.flatnonzero(chance(rng, DUPLICATE_SHARE, n))
    again = {name: column[twice] for name, column in e.items()}
    wait = rng.integers(1_000, 6 * 3_600_000, len(twice))
    again["sent_ms"] = again["sent_ms"] + wait
    again["received_ms"] = again["received_ms"] + wait
    return {name: np.concatenate([column, again[name]]) for name, column in e.items()}


def _event_table(d: Delivery, e: Frame) -> pa.Table:
    table = pa.table(e)
    return table.append_column("message_id", uuids(d.world.seed, 2, e["event_number"]))


def _products() -> pa.Table:
    index = np.arange(catalogue.PRODUCT_COUNT)
    return pa.table({
        "row_number": index, "product_id": catalogue.product_ids(index),
        "name": catalogue.product_names(), "category": catalogue.category_names(index),
    })  # fmt: skip


def anonymous_ids(d: Delivery, devices: Ints) -> pa.Array:
    """The cookie now on each device."""
    return uuids(d.world.seed, 1, devices * 1_000 + d.world.device["cookie"][devices])


def _visit_strings(d: Delivery, v: Frame) -> pa.Table:
    """What every event of a visit repeats: ids, traffic source, device, contacts."""
    w, person, n = d.world, v["person"], rows(v)
    tablet = v["device"] < w.size.stores
    is_mobile = ~tablet & ((v["device"] - w.size.stores) % 2 == 0)
    kind = np.where(tablet | ~is_mobile, 2, v["device"] % 5 // 3)
    style = w.p["web_style"][person]
    shared = "ads-" + w.date_of(d.day).strftime("%Y-%m") + "-"
    source = take([s for s, _, _ in SOURCES], v["source"])
    campaign = pa.array([shared + s if c == "ads" else None for s, _, c in SOURCES]).take(
        pa.array(v["source"])
    )
    if (v["source"] == NEWSLETTER).any():
        mails = campaign_ids(w.seed, np.maximum(v["campaign"], 0))
        campaign = pa.compute.if_else(pa.array(v["source"] == NEWSLETTER), mails, campaign)
    named = v["source"] > 0
    return pa.table({
        "row_number": np.arange(n), "anonymous_id": anonymous_ids(d, v["device"]),
        "device_id": label("D", v["device"] * 7_919 % 99_999_989, 8),
        "device_type": take(_DEVICE_TYPES, kind), "user_agent": take(_AGENTS, kind),
        "user_id": label_where("U", v["user"], v["user"] >= 0),
        "source": nulled(source, named),
        "medium": nulled(take([m for _, m, _ in SOURCES], v["source"]), named),
        "campaign": campaign,
        "referrer": nulled(pa.compute.binary_join_element_wise("https://", source, ".example/", ""),
                           named),
        "email": d.typed_email(w.p["account_email"][person], style),
        "phone": d.typed_phone(w.p["phone"][person], style),
        "full_name": d.typed_name(person, style),
        "cart_id": label_where("G", v["cart"], v["cart"] >= 0),
        "order_id": label_where("W", v["order_no"], v["order_no"] >= 0),
        "total": pa.array(v["total"], mask=v["total"] == 0),
        "sign_up_method": pa.array(np.where(tablet, "store_tablet", "web")),
    })  # fmt: skip


def _truth(d: Delivery, v: Frame, visits: pa.Table) -> None:
    """Which persons used which cookie and device today, and the journal of the visits."""
    d.add("journal", "visits", visits.append_column(
        "person_id", label("P", v["person"])).append_column("started_at", moments(v["at"]))
        .append_column("product_views", pa.array(v["views"]))
        .append_column("is_sign_up", pa.array(v["signup"] == 1)))  # fmt: skip
    pairs = np.unique(np.stack([v["person"], v["device"]], axis=1), axis=0)
    if len(pairs):
        d.truth(WEB, "anonymous_ids", anonymous_ids(d, pairs[:, 1]), pairs[:, 0])
        d.truth(WEB, "devices", label("D", pairs[:, 1] * 7_919 % 99_999_989, 8), pairs[:, 0])


def broken_lines(lines: pa.ChunkedArray, rng: np.random.Generator) -> list[bytes]:
    """Lines that no parser accepts: cut off, cut within a letter, or a gateway's error page."""
    count = int(np.ceil(len(lines) * MALFORMED_SHARE))
    cut = lines.take(pa.array(rng.integers(0, max(len(lines), 1), count))).to_pylist()
    made = []
    for line, kind in zip(cut, rng.random(count), strict=True):
        start = line[: len(line) // 2].encode()
        page = b"<html><body>502 Bad Gateway</body></html>"
        made.append(page if kind < 0.2 else start + b"\xe1\xbb" if kind < 0.35 else start)
    return made
