"""What people do with texts of the business: some use the code in one, or pass it on to a friend,
some write back.

The texts are read from the platforms that carried them (`channels/reading.py`); nothing here knows
who sent them or why, so a code is what looks like one. What somebody does with a text is drawn from
(seed, number, moment): a day simulated again is the same, and no text changes another's fate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from sandbox.channels import reading
from sandbox.delivery import CHANNELS, Delivery
from sandbox.draw import DAY_SECONDS, UTC_OFFSET_SECONDS, Ints, label, moments, pick, stream, take
from sandbox.frames import append
from sandbox.world import BUY, NEVER

_CODE = re.compile(r"\b[A-Z]{2,12}-[A-Z0-9]{8,14}\b")
_USES, _PASSES_ON, _FORGETS = 0.30, 0.12, 0.10
_DAYS, _LATE_DAYS = 3, 6  # to use a code; whoever forgets it comes three to five days later
# Who answers a text: "from 1 to 5", another question, "no more of this".
_ASKS = re.compile(r"\b1\b.*\b5\b")
_RATES, _REPLIES, _STOPS = 0.35, 0.15, 0.015
_RATINGS = [6, 8, 16, 35, 35]
_WORDS = ["Cảm ơn shop nhé", "Giày đẹp, mình rất thích", "Giao hơi chậm", "Ok", "Để mình xem"]
_OPENING, _CLOSING = 9 * 3_600, 20 * 3_600


@dataclass(frozen=True)
class Text:
    """A text somebody read: its id, the number without its country code, local seconds, the words;
    `is_answerable`: it came as an SMS.
    """

    phone: int
    read_at: int
    words: str
    effect_id: str = ""
    is_answerable: bool = False


def read(texts: Iterable[reading.Text]) -> list[Text]:
    """Texts of the platforms in the simulation's own numbers."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return [
        Text(int(text.phone[-9:]),
             int((text.read_at - epoch).total_seconds()) + UTC_OFFSET_SECONDS, text.content,
             text.effect_id, text.vendor == "twilio")
        for text in texts
    ]  # fmt: skip


@dataclass(frozen=True)
class _Use:
    """A code that is used today."""

    person: int
    at: int
    code: str
    in_store: bool


def run(d: Delivery, texts: Sequence[Text]) -> None:
    """Today's answers, and purchases with a code of one's own: web and stores ask for the codes."""
    _write_back(d, texts)
    uses = [use for text in texts for use in _uses(d, text)]
    if not uses:
        return
    w = d.world
    numbers = w.issue("own-code", len(uses))
    w.own_codes.update({int(n): use.code for n, use in zip(numbers, uses, strict=True)})
    for number, use in zip(numbers.tolist(), uses, strict=True):
        d.own_codes.setdefault((use.person, use.in_store), (number, use.at))
    persons, at = (np.array([getattr(use, name) for use in uses]) for name in ("person", "at"))
    in_store = np.array([use.in_store for use in uses])
    w.frames["store_visits"] = append(
        w.frames["store_visits"], person=persons[in_store], at=at[in_store]
    )
    w.frames["visits"] = append(
        w.frames["visits"], person=persons[~in_store], at=at[~in_store], campaign=NEVER, why=BUY,
        cart=NEVER, caused=0,
    )  # fmt: skip
    d.add("journal", "causes", pa.table({
        "cause": pa.repeat("code", len(uses)), "person_id": label("P", persons),
        "channel": take(["web", "store"], in_store.astype(np.int64)), "planned_at": moments(at),
    }))  # fmt: skip


def own_codes(d: Delivery, persons: Ints, at: Ints, *, in_store: bool) -> Ints:
    """The number of the code that each purchase uses, 0 for none: each code's first purchase."""
    used = np.zeros(len(persons), np.int64)
    for i in np.argsort(at, kind="stable").tolist():
        number, since = d.own_codes.get((int(persons[i]), in_store), (0, 0))
        if number and at[i] >= since:
            used[i] = number
            del d.own_codes[int(persons[i]), in_store]
    return used


def _uses(d: Delivery, text: Text) -> Iterator[_Use]:
    """What the reader does with the code, when today is the day for it."""
    found = _CODE.search(text.words)
    first = (text.read_at - d.world.starts(0)) // DAY_SECONDS
    if not found or not first <= d.day <= first + _DAYS + _LATE_DAYS:
        return
    rng = stream(d.world.seed, first, f"text-{text.phone}-{text.read_at}")
    uses, passes_on, forgets, in_store = rng.random(4) < (_USES, _PASSES_ON, _FORGETS, 0.5)
    late = int(rng.integers(_DAYS, _LATE_DAYS))
    day = first + int(rng.integers(0, _DAYS)) + (late if forgets else 0)
    at = d.world.starts(day) + int(rng.integers(_OPENING, _CLOSING))
    if at < text.read_at + 600:  # read later than that: tomorrow then
        at += DAY_SECONDS
    if not uses or not d.start <= at < d.end:
        return
    p = d.world.p
    here = d.world.here()
    if passes_on:
        person = int(rng.choice(np.flatnonzero(here & (p["account"] >= 0))))
    else:
        readers = np.flatnonzero(here & ((p["phone"] == text.phone) | (p["phone2"] == text.phone)))
        if not len(readers):
            return
        person = int(readers[0])
    yield _Use(person, at, found.group(), bool(in_store and p["card"][person] >= 0))


def _write_back(d: Delivery, texts: Sequence[Text]) -> None:
    """Today's answers; a person answers a text once, within ten hours."""
    answers = []
    for text in texts:
        if not text.is_answerable or not d.start - DAY_SECONDS <= text.read_at < d.end:
            continue
        rng = stream(d.world.seed, 0, f"answer-{text.phone}-{text.read_at}")
        at = text.read_at + int(rng.integers(300, 36_000))
        draw, rating, words = rng.random(), pick(rng, _RATINGS, 1)[0] + 1, rng.choice(_WORDS)
        is_question = bool(_ASKS.search(text.words))
        if draw < _STOPS:
            body = "TC" if "soạn TC" in text.words else "STOP"
        elif draw < _STOPS + (_RATES if is_question else _REPLIES):
            body = str(rating) if is_question else str(words)
        else:
            continue
        if d.start <= at < d.end:
            moment = datetime.fromtimestamp(at - UTC_OFFSET_SECONDS, UTC).isoformat()
            answers.append({"effect_id": text.effect_id, "at": moment, "body": body})
    if answers:
        d.add(CHANNELS, "replies", pa.Table.from_pylist(answers))
