"""The published figures held against the recount."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from tests.e2e.recount.facts import Facts, gather
from tests.e2e.recount.formulas import FORMULAS, Period
from tests.e2e.recount.inputs import read

Key = tuple[str, str, date, str, str]  # kpi, grain, period_start, slice, slice_value


@dataclass(frozen=True)
class Difference:
    """One figure that the two counts tell differently."""

    key: Key
    part: str
    published: Decimal | None
    recounted: Decimal | None

    def __str__(self) -> str:
        kpi, grain, start, slice_, value = self.key
        return (f"{kpi} {grain} {start} {slice_}={value}: {self.part} published "
                f"{self.published}, recounted {self.recounted}")  # fmt: skip


@dataclass(frozen=True)
class Recount:
    """An installation's published KPIs beside the facts of its sandbox."""

    published: dict[Key, tuple[Decimal | None, Decimal | None, Decimal | None]]
    facts: Facts
    today: date

    def differences(self, keys: list[Key]) -> Iterator[Difference]:
        for key in keys:
            kpi, grain, start, slice_, value = key
            chosen = self.facts if slice_ == "all" else self.facts.of(slice_, value)
            answer = FORMULAS[kpi](chosen, self.facts, self.period(grain, start))
            for part, there, here in zip(
                ("numerator", "denominator", "value"), self.published[key], _parts(*answer),
                strict=True,
            ):  # fmt: skip
                if (there is None) != (here is None) or (there is not None and there != here):
                    yield Difference(key, part, there, here)

    def period(self, grain: str, start: date) -> Period:
        if grain == "month":
            end = (start + timedelta(31)).replace(day=1)
        else:
            end = start + timedelta(7 if grain == "week" else 1)
        return Period(start, end, self.today)


def _parts(numerator: float | None, denominator: int | None) -> tuple[Decimal | None, ...]:
    def exact(number: float | None) -> Decimal | None:
        return None if number is None else Decimal(str(number)).quantize(Decimal("1e-8"))

    if denominator is None:
        value = exact(numerator)
    elif denominator == 0 or numerator is None:
        value = None
    else:
        value = (Decimal(str(numerator)) / denominator).quantize(Decimal("1e-8"))
    return exact(numerator), exact(denominator), value


def recount(home: Path, now: datetime) -> Recount:
    """Read everything of the installation whose $KHACH_HOME this is; `now` is its local time."""
    connection = read(home)
    marts, warehouse = home / "published/current/marts.duckdb", home / "warehouse.duckdb"
    connection.execute(f"attach '{marts}' as marts (read_only)")
    connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
    connection.execute(
        "create table whose as select source as system, record_kind as kind, record_id, customer_id "
        "from warehouse.intermediate.int_record_customers"
    )
    connection.execute(
        "create table whose_visit as select anonymous_id, customer_id, "
        "started_at + interval 7 hour as first_at from marts.main.sessions"
    )
    connection.execute(
        "create table whose_cart as select cart_id, customer_id from marts.main.carts"
    )
    rows = connection.execute(
        "select kpi, grain, period_start, slice, slice_value, numerator, denominator, value "
        "from marts.main.kpi_values"
    ).fetchall()
    published = {row[:5]: row[5:] for row in rows}
    return Recount(published, gather(connection, now), now.date())
