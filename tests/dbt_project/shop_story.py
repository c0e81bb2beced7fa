"""A small random retailer for the marts' tests: what was delivered, and the truth to compare with.

Sixty people; some shop on the web only, some in stores only, some in both (tied by their e-mail
address), and a third of store receipts name nobody. Moments are UTC; the business day is UTC+7.
"""

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from crm_story import DESK, give_codes, tell_crm
from tiny_lake import MAIL, SHOP, TILLS, WEB, TinyLake

from khach.environment import PROJECT, Environment

FIRST = datetime.fromisoformat("2025-11-01 00:00:00")
AS_OF = datetime.fromisoformat("2026-03-31 17:00:00")
LAST_DAY = date(2026, 3, 31)
Row = dict[str, Any]


def business_day(moment: datetime) -> date:
    return (moment + timedelta(hours=7)).date()


@dataclass
class Order:
    """An order as the test knows it; `person` is None when the receipt names nobody."""

    key: str
    person: int | None
    channel: str
    at: datetime
    status: str
    amount: Decimal
    refund: Decimal

    @property
    def day(self) -> date:
        return business_day(self.at)

    @property
    def is_completed(self) -> bool:
        return self.status not in ("cancelled", "pending")


@dataclass
class Story:
    """Rows per source and table, and the orders they were made from."""

    orders: list[Order] = field(default_factory=list)
    rows: dict[tuple[str, str], list[Row]] = field(default_factory=lambda: defaultdict(list))

    def land(self, lake: TinyLake, load_id: str = "1") -> None:
        for (source, table), rows in self.rows.items():
            lake.land(source, table, load_id, rows, "accepted")

    def land_deleted(self, lake: TinyLake) -> None:
        """A customer, her order and a product that were there and are deleted: as if never told."""
        at = {"updated_at": AS_OF - timedelta(days=2)}
        order = {"order_id": "GONE", "ordered_at": at["updated_at"], "status": "completed"}
        line = {"order_line_id": "GONE-0", "order_id": "GONE", "product_id": "PX"}
        rows: dict[str, Row] = {
            "customers": {"record_id": "GONE", "user_id": "GONE", "email": "gone@hoa.example"},
            "products": {"product_id": "PX", "product_name": "Giày"},
            "orders": {**order, "user_id": "GONE", "channel": "web"},
            "order_lines": {**line, "units": Decimal(1), "line_amount": Decimal(10**9)},
            "payments": {"payment_id": "GONE-P", "order_id": "GONE", "amount": Decimal(10**9)},
        }
        for table, row in rows.items():
            time = {} if table == "payments" else at
            key = next(iter(row))
            deleted = {key: row[key], **time, "_is_deleted": True}
            lake.land("shop", table, "2", [row | time, row | time], "accepted")
            lake.land("shop", table, "3", [deleted], "accepted")
        # Many exports mark the order alone.
        unmarked = rows["order_lines"] | {"order_line_id": "GONE-1"} | at
        lake.land("shop", "order_lines", "4", [unmarked], "accepted")

    @property
    def completed(self) -> list[Order]:
        return [order for order in self.orders if order.is_completed]

    def order_days(self) -> dict[int, list[date]]:
        days: dict[int, set[date]] = defaultdict(set)
        for order in self.completed:
            if order.person is not None:
                days[order.person].add(order.day)
        return {person: sorted(found) for person, found in days.items()}


SOURCES = [SHOP, TILLS, WEB, MAIL, DESK]


def make_story(seed: int = 7) -> Story:
    """The same story for the same seed."""
    draw = random.Random(seed)
    story = Story()
    for person in range(60):
        _introduce(story, draw, person)
        for _ in range(draw.choice((0, 0, 1, 1, 2, 3, 5, 9))):
            _order(story, draw, person)
    for _ in range(40):
        _order(story, draw, None)
    for cart in range(120):
        _cart(story, draw, cart)
    tell_crm(story)
    return story


def _introduce(story: Story, draw: random.Random, person: int) -> None:
    about = {
        "email": f"p{person}@hoa.example",
        "full_name": f"Nguyễn Văn {draw.choice(('Minh', 'Lan', 'Hoa'))}",
        "birth_year": draw.choice((None, 1970, 1990, 2000)),
        "gender": draw.choice((None, "male", "female")),
        "province": draw.choice((None, "Hà Nội", "Đà Nẵng")),
        "updated_at": FIRST,
    }
    if person % 3 != 1:
        story.rows["shop", "customers"].append(
            {"record_id": f"U{person}", "user_id": f"U{person}", **about}
        )
    if person % 3 != 0:
        story.rows["tills", "customers"].append(
            {"record_id": f"M{person}", "member_number": f"M{person}", **about}
        )


def _order(story: Story, draw: random.Random, person: int | None) -> None:
    at = FIRST + timedelta(seconds=draw.randrange(int((AS_OF - FIRST).total_seconds())))
    _place(story, draw, person, at, None)


def _place(
    story: Story, draw: random.Random, person: int | None, at: datetime, cart: str | None
) -> None:
    number = len(story.orders)
    on_web = person is not None and (cart is not None or person % 3 == 0 or draw.random() < 0.5)
    on_web = on_web and person is not None and person % 3 != 1
    source, channel = ("shop", "web") if on_web else ("tills", "store")
    status = draw.choice(("completed", "completed", "paid", "cancelled", "pending"))
    if cart is not None:
        status = "completed"
    lines = [Decimal(draw.randrange(1, 900)) * 1000 for _ in range(draw.randrange(1, 4))]
    refund = lines[0] if status == "completed" and draw.random() < 0.2 else Decimal(0)
    who = {} if person is None else {
        "user_id" if on_web else "member_number": f"{'U' if on_web else 'M'}{person}"
    }  # fmt: skip
    story.rows[source, "orders"].append(
        {
            "order_id": f"O{number}", "channel": channel, "ordered_at": at, "status": status,
            "store_id": None if on_web else f"S{number % 2}", "cart_id": cart,
            "country": "VN", "currency": "VND", "updated_at": at, **who,
        }
    )  # fmt: skip
    for place, amount in enumerate(lines):
        story.rows[source, "order_lines"].append(
            {
                "order_line_id": f"O{number}-{place}", "order_id": f"O{number}",
                "product_id": f"P{(number + place) % 5}", "units": Decimal(1),
                "unit_price": amount, "line_amount": amount,
            }
        )  # fmt: skip
    if refund:
        story.rows[source, "refunds"].append(
            {
                "refund_id": f"R{number}", "order_id": f"O{number}", "amount": refund,
                "refunded_at": at + timedelta(days=draw.randrange(40)),
            }
        )  # fmt: skip
    story.orders.append(
        Order(f"{source}:O{number}", person, channel, at, status, sum(lines, Decimal(0)), refund)
    )


def _cart(story: Story, draw: random.Random, number: int) -> None:
    """A web cart: ordered at once, left for good, or come back to; every third is a stranger's."""
    at = FIRST + timedelta(minutes=draw.randrange(150 * 24 * 60))
    person = None if number % 3 == 0 else draw.choice(range(0, 60, 3))
    cart = f"G{number}"
    story.rows["web", "events"].append(
        {
            "message_id": f"m{number}", "type": "track", "event": "Product Added",
            "anonymous_id": f"a{number}", "occurred_at": at, "traits": "{}", "context": "{}",
            "user_id": None if person is None else f"U{person}",
            "properties": json.dumps(
                {"cart_id": cart, "product_id": "P1", "name": "Giày", "price": 5, "quantity": 1}
            ),
        }
    )  # fmt: skip
    if person is None:
        return
    fate = draw.random()
    if fate < 0.3:
        _place(story, draw, person, at + timedelta(minutes=20), cart)
        return
    group = draw.choice(("treated", "treated", "holdout"))
    story.rows["shop", "experiments"].append(
        {
            "experiment_id": f"E{number}", "campaign_id": f"gio-{number}",
            "user_id": f"U{person}", "experiment_group": group,
            "assigned_at": at + timedelta(hours=20),
        }
    )  # fmt: skip
    story.rows["shop", "campaigns"].append(
        {"campaign_id": f"gio-{number}", "channel": "email", "audience": "cart abandoners"}
    )
    if fate < (0.7 if group == "treated" else 0.5):
        comes_back = at + timedelta(days=2 + draw.randrange(8))
        if comes_back < AS_OF:
            _place(story, draw, person, comes_back, cart)


# The retailer's own generations: one of ours, one of ours with other years, one that we lack.
GENERATIONS = (
    ("doi_moi", None, 1986, "Thế hệ Đổi mới"),
    ("gen_y", 1987, 1996, "Thế hệ Y"),
    ("gen_z", 1997, None, "Thế hệ Z"),
)


def build(home: Path, patch: pytest.MonkeyPatch, story: Story) -> TinyLake:
    """The whole project built over a story below `home`."""
    (home / "config").mkdir()
    rows = [",".join("" if cell is None else str(cell) for cell in row) for row in GENERATIONS]
    (home / "config" / "generations.csv").write_text(
        "\n".join(["generation,birth_year_from,birth_year_to,label_vi", *rows]), encoding="utf-8"
    )
    patch.setenv("KHACH_HOME", str(home))
    env = Environment("dev", home, home / "config", home)
    lake = TinyLake(env, PROJECT / "dbt_project", SOURCES, as_of=str(AS_OF))
    story.land(lake)
    story.land_deleted(lake)
    give_codes(env)
    lake.build()
    return lake


STORY = make_story()
