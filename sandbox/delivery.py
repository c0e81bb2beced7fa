"""What one simulated day hands over: tables by area, to be written as files by `exports`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa

from sandbox.canaries import CANARY_COUNT
from sandbox.draw import DAY_SECONDS, Bools, Ints, chance, label, moments, nulled, stream, take
from sandbox.frames import append
from sandbox.handwriting import CAREFUL_STYLE, typed_email, typed_name, typed_phone
from sandbox.world import BUY, NEVER, World

# Areas of the delivery; the truth calls the sources by the same names.
WEB, SHOP, TILLS, EMAIL, CRM = "web_events", "web_shop", "tills", "email", "crm"
CHANNELS = "channels"  # what people write back, for the platforms that the business writes through


@dataclass
class Delivery:
    """The day's rows so far. `start` and `end` are the day's local seconds."""

    world: World
    day: int
    con: duckdb.DuckDBPyConnection
    tables: dict[tuple[str, str], list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    # (person, in a store) -> a code of their own that they use today, and from when on.
    own_codes: dict[tuple[int, bool], tuple[int, int]] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Local seconds of the day's midnight."""
        return self.world.starts(self.day)

    @property
    def end(self) -> int:
        """Local seconds at which the next day begins."""
        return self.world.starts(self.day + 1)

    def rng(self, name: str) -> np.random.Generator:
        """The day's random stream of that name."""
        return stream(self.world.seed, self.day, name)

    def add(self, area: str, name: str, rows: pa.Table) -> None:
        """Deliver rows of a table."""
        if rows.num_rows:
            self.tables[area, name].append(rows)

    def truth(self, source: str, kind: str, ids: pa.Array, persons: Ints) -> None:
        """Note to whom records belong; no pipeline code reads this."""
        n = len(persons)
        self.add("truth", "records", pa.table({
            "source": pa.repeat(source, n), "record_kind": pa.repeat(kind, n),
            "record_id": ids, "person_id": label("P", persons),
        }))  # fmt: skip

    def bought(self, persons: Ints, at: Ints, where: str) -> None:
        """These people have bought, and some of them never come again."""
        p = self.world.p
        p["bought_at"][persons] = at
        leaves = chance(self.rng(f"leaving-{where}"), p["fickle"][persons], len(persons))
        leaves &= persons >= CANARY_COUNT
        p["gone_at"][persons[leaves]] = at[leaves]

    def cause(self, cause: str, persons: Ints, at: Ints, *, in_store: Bools) -> None:
        """These people will buy because of `cause`, about local seconds `at`; not who has left.

        Today's visits to the web shop are over: those meant for today come tomorrow.
        """
        w = self.world
        here = w.p["gone_at"][persons] == 0
        persons, at, in_store = persons[here], at[here], in_store[here]
        n, web = len(persons), ~in_store
        at = np.where(in_store, open_hours(at), at + DAY_SECONDS * (at < self.end))
        w.frames["store_visits"] = append(
            w.frames["store_visits"], person=persons[in_store], at=at[in_store]
        )
        w.frames["visits"] = append(
            w.frames["visits"], person=persons[web], at=at[web], campaign=NEVER, why=BUY,
            cart=NEVER, caused=0,
        )  # fmt: skip
        self.add("journal", "causes", pa.table({
            "cause": pa.repeat(cause, n), "person_id": label("P", persons),
            "channel": take(["web", "store"], in_store.astype(np.int64)),
            "planned_at": moments(at),
        }))  # fmt: skip

    def styles(self, rng: np.random.Generator, persons: Ints) -> Ints:
        """A handwriting for each record; canaries type without mistakes."""
        drawn = rng.integers(0, 2**31, len(persons))
        return np.where(persons < CANARY_COUNT, CAREFUL_STYLE, drawn)

    def typed_name(self, persons: Ints, style: Ints) -> pa.Array:
        """Names of these people as typed."""
        names = self.world.names
        return typed_name(take(names["full_name"], persons), take(names["ascii_name"], persons),
                          style)  # fmt: skip

    def typed_phone(self, phone: Ints, style: Ints) -> pa.Array:
        """Phone numbers as typed; null where negative."""
        return nulled(typed_phone(np.where(phone < 0, 900_000_000, phone), style), phone >= 0)

    def typed_email(self, email: Ints, style: Ints) -> pa.Array:
        """E-mail numbers as typed addresses; null where negative."""
        addresses = take(self.world.emails, np.maximum(email, 0))
        return nulled(typed_email(addresses, style), email >= 0)


def open_hours(at: Ints) -> Ints:
    """Then, or half a day later where that is not within the stores' hours, 9:00 to 21:00."""
    hour = at % DAY_SECONDS // 3_600
    return np.where((hour < 9) | (hour >= 21), at + DAY_SECONDS // 2, at)
