"""Everything the simulation remembers from one day to the next, saved once per day.

A day's state is a folder `world/<date>/`, written beside and renamed: it is there whole or not at
all. The state of the day before is kept until the clock has moved on.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather

from sandbox import people
from sandbox.catalogue import product_prices, store_provinces
from sandbox.draw import Bools, Ints, midnight, stream
from sandbox.errors import SandboxError
from sandbox.frames import Frame, frame
from sandbox.sizes import SIZES, Size

LAYOUT = 3  # raised when saved states can no longer be read
NEVER = -1
BROWSE, BUY, RECOVER = 0, 1, 2  # why somebody comes to the shop
FRAMES = {
    # visits that will happen: why = BROWSE, BUY or RECOVER (of `cart`); `caused` by a campaign
    "visits": ("person", "at", "campaign", "why", "cart", "caused"),
    "carts": ("cart", "person", "email", "at", "n", "p0", "p1", "p2", "q0", "q1", "q2", "natural"),
    "orders": ("order", "person", "account", "email", "cart", "style", "province", "coupon",
               "ordered_at", "amount", "method", "status", "at"),
    "returns": ("receipt", "person", "store", "till", "card", "phone", "style", "sold_at",
                "amount", "is_whole", "at"),
    "mail_events": ("campaign", "email", "action", "at"),
    "campaigns": ("campaign", "kind", "started_at", "sent"),
    "assigned": ("campaign", "person", "treated", "caused", "gone"),
    "surveys": ("kind", "person", "account", "email", "at"),
    # purchases in stores that chats, calls, leads and advice lead to
    "store_visits": ("person", "at"),
    # what the CRM still has to write: `at` is when a record changes next
    "conversations": ("conversation", "person", "channel", "initiated", "topic", "class", "mood",
                      "agent", "visitor", "account", "phone", "email", "named", "style", "order",
                      "opened_at", "answered_at", "closed_at", "at"),
    "leads": ("lead", "person", "source", "stage", "outcome", "owner", "amount", "close_on",
              "score", "fate", "style", "created_at", "contacted_at", "at"),
    "appointments": ("appointment", "person", "store", "purpose", "status", "agent", "style",
                     "booked_at", "starts_at", "at"),
}  # fmt: skip
PERSON_STATE = {
    "account": NEVER, "account_at": 0, "account_changed_at": 0, "account_email": NEVER,
    "card": NEVER, "card_at": 0, "card_changed_at": 0, "tier": 0, "receipts": 0,
    "web_consent": 0, "card_consent": 0, "bought_at": 0, "gone_at": 0, "left_at": 0,
    "asked_values": 0,
}  # fmt: skip
EMAIL_STATE = {"status": 0, "person": NEVER, "opted_at": 0, "changed_at": 0, "tag": 0}


@dataclass
class World:
    """The state after `day` (the number of the last simulated day; -1: nothing simulated yet)."""

    seed: int
    size: Size
    day: int
    p: dict[str, np.ndarray] = field(default_factory=dict)
    mail: dict[str, np.ndarray] = field(default_factory=dict)
    device: dict[str, np.ndarray] = field(default_factory=dict)
    prices: np.ndarray = field(default_factory=product_prices)
    counters: dict[str, int] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    strings: pa.Table | None = None
    emails: pa.Array | None = None
    late_lines: pa.Table | None = None
    # What the codes say that people were sent for themselves and used.
    own_codes: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.p["starts_on"]) if self.p else 0

    @property
    def names(self) -> pa.Table:
        """full_name, ascii_name, address of every person."""
        if self.strings is None:
            raise RuntimeError("the world has no people yet")
        return self.strings

    def here(self) -> Bools:
        """Who is a customer of this brand today: has appeared and not left for good.

        What is on its way when somebody leaves (a cart to be recovered, a visit that a call or a
        mail has brought about) still happens.
        """
        return (self.p["starts_on"] <= self.day) & (self.p["gone_at"] == 0)

    def date_of(self, day: int) -> date:
        """The calendar date of a simulated day."""
        return self.size.first_day + timedelta(days=day)

    def starts(self, day: int) -> int:
        """Local seconds at which `day` begins."""
        return midnight(self.size.first_day, day)

    def issue(self, name: str, count: int) -> Ints:
        """The next `count` numbers of a sequence."""
        first = self.counters.get(name, 1)
        self.counters[name] = first + count
        return np.arange(first, first + count)


def create(seed: int, size: Size) -> World:
    """The world before its first day, with everybody who appears during the history."""
    world = World(seed, size, day=-1)
    world.frames = {name: frame(columns) for name, columns in FRAMES.items()}
    world.device = {"cookie": np.zeros(size.stores, np.int32),
                    "user": np.full(size.stores, NEVER, np.int64)}  # fmt: skip
    rng = stream(seed, -1, "arrivals")
    existing = rng.random(size.people) < 0.62
    starts_on = np.where(existing, -1, rng.integers(0, size.days, size.people))
    add_people(world, -1, starts_on)
    return world


def add_people(world: World, day: int, starts_on: Ints) -> None:
    """A batch of people joins the world; all of its per-person state begins empty."""
    n, first = len(starts_on), len(world)
    size = world.size
    batch = people.make(
        world.seed, day, n=n, first=first, stores=size.stores, paces=(size.pace, size.till_pace),
        starts_on=starts_on, store_provinces=store_provinces(size.stores),
    )  # fmt: skip
    _grow(world.p, batch.columns | {k: np.full(n, v, np.int64) for k, v in PERSON_STATE.items()})
    _grow(world.mail, {k: np.full(3 * n, v, np.int64) for k, v in EMAIL_STATE.items()})
    _grow(world.device, {"cookie": np.zeros(2 * n, np.int32), "user": np.full(2 * n, NEVER)})
    if world.strings is None or world.emails is None:
        world.strings, world.emails = batch.strings, batch.emails
    else:
        world.strings = pa.concat_tables([world.strings, batch.strings]).combine_chunks()
        world.emails = pa.concat_arrays([world.emails, batch.emails])


def _grow(columns: dict[str, np.ndarray], more: dict[str, np.ndarray]) -> None:
    for name, values in more.items():
        columns[name] = np.concatenate([columns[name], values]) if name in columns else values


def _state_path(root: Path, world_date: date) -> Path:
    return root / "world" / world_date.isoformat()


def save(world: World, root: Path) -> None:
    """Write the state of `world.day`, whole; states older than the day before are removed."""
    target = _state_path(root, world.date_of(world.day))
    draft = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    numbers = {f"p/{k}": v for k, v in world.p.items()}
    numbers |= {f"mail/{k}": v for k, v in world.mail.items()}
    numbers |= {f"device/{k}": v for k, v in world.device.items()}
    numbers |= {f"{n}/{k}": v for n, f in world.frames.items() for k, v in f.items()}
    np.savez(draft / "numbers.npz", prices=world.prices, **numbers)  # type: ignore[arg-type]
    feather.write_feather(world.names, draft / "people.arrow", compression="uncompressed")
    emails = pa.table({"email": world.emails})
    feather.write_feather(emails, draft / "emails.arrow", compression="uncompressed")
    feather.write_feather(world.late_lines, draft / "late_lines.arrow", compression="lz4")
    meta = {"layout": LAYOUT, "seed": world.seed, "size": world.size.name, "day": world.day,
            "counters": world.counters, "own_codes": world.own_codes}  # fmt: skip
    (draft / "meta.json").write_text(json.dumps(meta))
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    for old in sorted(p for p in target.parent.iterdir() if p.name[0] != ".")[:-2]:
        shutil.rmtree(old)


def load(root: Path, world_date: date) -> World:
    """The state saved for `world_date`.

    Raises FileNotFoundError when there is none, SandboxError when another release made it.
    """
    folder = _state_path(root, world_date)
    meta = json.loads((folder / "meta.json").read_text())
    if meta["layout"] != LAYOUT:
        raise SandboxError(
            "this retailer was simulated by another release and cannot go on: delete "
            f"{root.parent}, all of which is about it, and run again"
        )
    world = World(meta["seed"], SIZES[meta["size"]], meta["day"], counters=meta["counters"])
    # A state of an earlier release has none.
    world.own_codes = {int(number): code for number, code in meta.get("own_codes", {}).items()}
    with np.load(folder / "numbers.npz") as numbers:
        stored = {name: numbers[name] for name in numbers.files}
    world.prices = stored.pop("prices")
    for key, values in stored.items():
        group, _, column = key.partition("/")
        target = {"p": world.p, "mail": world.mail, "device": world.device}.get(group)
        (world.frames.setdefault(group, {}) if target is None else target)[column] = values
    world.strings = feather.read_table(folder / "people.arrow", memory_map=False)
    world.emails = feather.read_table(folder / "emails.arrow", memory_map=False)[
        "email"
    ].combine_chunks()
    world.late_lines = feather.read_table(folder / "late_lines.arrow", memory_map=False)
    return world


def latest(root: Path, seed: int, size: Size) -> World:
    """Where an interrupted history goes on: its last saved day, or a new world."""
    folder = root / "world"
    days = sorted(p.name for p in folder.iterdir() if p.name[0] != ".") if folder.is_dir() else []
    for name in reversed(days):
        world = load(root, date.fromisoformat(name))
        if (world.seed, world.size) == (seed, size):
            return world
    return create(seed, size)
