"""A small shop's exports as the simulation writes them, for the servers that show them."""

import csv
import json
from pathlib import Path
from typing import Any

from sandbox.schemas import SHOP_TABLES

TODAY = "2026-06-20"
PRODUCTS = [
    [f"SP{n:04d}", f"SKU-{n:06d}", f"Giày {n}", "chạy bộ", "Sải", 100_000 * n,
     "2026-06-01 06:00:00"]
    for n in range(1, 4)
]  # fmt: skip


def clock(root: Path, today: str) -> None:
    """The sandbox's present: 02:00 local on the day after."""
    document = {"today": today, "now": f"{today}T19:00:00Z", "size": "XS", "seed": 1}
    (root / "clock.json").write_text(json.dumps(document))


def write_day(root: Path, day: str, **tables: list[list[Any]]) -> None:
    """A day's new and changed rows of each table, in the columns of the schema."""
    folder = root / "exports" / "web_shop"
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in SHOP_TABLES.items():
        with (folder / f"{name}-{day}.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(schema.names)
            writer.writerows(tables.get(name, []))
    clock(root, day)


def member(number: int, at: str = "2026-06-10 09:00:00") -> list[Any]:
    """An account."""
    name, address = f"Nguyễn Văn {number}", f"person{number}@example.com"
    return [f"U{number:07d}", address, "0912000123", name, "1990-01-02", "nam",
            "", "", "", "Hà Nội", "Ba Đình", "1 Lê Lợi", 40, at, at]  # fmt: skip


def order(number: int, status: str, at: str, changed: str, *, user: int | None = None) -> list[Any]:
    """An order; without `user` a guest's."""
    guest = [f"person{number}@guest.example", "0912 000 999", f"Trần Thị {number}"]
    who = [f"U{user:07d}", "", "", ""] if user else ["", *guest]
    return [f"W{number:07d}", *who, f"G{number:07d}", status, "Huế", "VN",
            "HE2026" if number % 3 == 0 else "", at, changed]  # fmt: skip


def line(number: int, parent: int, product: int, units: int, discount: int = 0) -> list[Any]:
    """A line of an order."""
    price = 100_000 * product
    return [f"WL{number:08d}", f"W{parent:07d}", f"SP{product:04d}", units, price, discount,
            price * units - discount]  # fmt: skip


def fill(root: Path) -> None:
    """Twelve orders: paid, on delivery, cancelled, returned with a refund; five accounts."""
    statuses = ("paid", "pending", "completed", "cancelled")
    orders, lines, payments = [], [], []
    for number in range(1, 13):
        at = f"2026-06-{number:02d} 10:00:00"
        status = statuses[number % 4]
        orders.append(order(number, status, at, at, user=number if number <= 5 else None))
        lines += [line(2 * number, number, 1, 2, 20_000 if number % 3 == 0 else 0),
                  line(2 * number + 1, number, 2, 1)]  # fmt: skip
        amount = 400_000 - (20_000 if number % 3 == 0 else 0)
        if status in ("paid", "completed"):
            payments.append([f"WP{number:08d}", f"W{number:07d}", "card", amount, at])
    write_day(root, "2026-06-19", members=[member(n) for n in range(1, 6)], products=PRODUCTS,
              orders=orders, order_lines=lines, payments=payments,
              refunds=[["WR00000001", "W0000002", 150_000, "2026-06-19 12:00:00"]])  # fmt: skip
