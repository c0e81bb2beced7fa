"""The published figures held against the recount."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from tests.e2e.recount.facts import Facts, gather
from tests.e2e.recount.formulas import FORMULAS
from tests.e2e.recount.inputs import read
from tests.e2e.recount.period import Period

Key = tuple[str, str, date, str, str]  # kpi, grain, period_start, slice, slice_value


# Whose a record is; and whether a value that it shows says so, or it stands for somebody by itself.
# What is neither was recognised by the browser alone: a number that a family shares names nobody.
_WHOSE = """
create table whose as
with told as (
    select source, record_kind, record_id, min(customer_id) as customer_id,
        bool_or(kind <> 'record') as by_value
    from (
        select source, record_kind, record_id, identifier_type as kind, namespace,
            identifier_value
        from warehouse.intermediate.int_identifiers_observed
        where identifier_type not in ('anonymous_id', 'device_id')
        union all
        select source, record_kind, record_id, holder_type, holder_namespace, holder_value
        from warehouse.identity.identity_record_holders where holder_type = 'record'
    ) as shown
    inner join warehouse.identity.identity_map as mapped
        on mapped.identifier_type = shown.kind and mapped.namespace = shown.namespace
        and mapped.identifier_value = shown.identifier_value
    group by all
)
select source as system, record_kind as kind, record_id, records.customer_id,
    told.customer_id is not null as is_named, coalesce(by_value, false) as is_named_by_value
from warehouse.intermediate.int_record_customers as records
left join told using (source, record_kind, record_id)
"""


@dataclass(frozen=True)
class Difference:
    """One figure that the two counts tell differently."""

    key: Key
    part: str
    published: Decimal | None
    recounted: Fraction | None

    def __str__(self) -> str:
        kpi, grain, start, slice_, value = self.key
        return (f"{kpi} {grain} {start} {slice_}={value}: {self.part} published "
                f"{_written(self.published)}, recounted {_written(self.recounted)}")  # fmt: skip


def _written(number: Decimal | Fraction | None) -> str:
    return "null" if number is None else f"{float(number):.10g}"


@dataclass
class Recount:
    """An installation's published KPIs beside the facts of its sandbox."""

    published: dict[Key, tuple[Decimal | None, Decimal | None, Decimal | None]]
    facts: Facts
    today: date
    _slices: dict[tuple[str, str], Facts] = field(default_factory=dict)

    def differences(self, keys: Iterable[Key]) -> Iterator[Difference]:
        for key in keys:
            kpi, grain, start, slice_, value = key
            answer = FORMULAS[kpi](self.of(slice_, value), self.facts, self.period(grain, start))
            for part, there, here in zip(
                ("numerator", "denominator", "value"), self.published[key], _parts(*answer),
                strict=True,
            ):  # fmt: skip
                if not _same(there, here):
                    yield Difference(key, part, there, here)

    def of(self, slice_: str, value: str) -> Facts:
        if slice_ == "all":
            return self.facts
        if (slice_, value) not in self._slices:
            self._slices[slice_, value] = self.facts.of(slice_, value)
        return self._slices[slice_, value]

    def period(self, grain: str, start: date) -> Period:
        if grain == "month":
            end = (start + timedelta(31)).replace(day=1)
        else:
            end = start + timedelta(7 if grain == "week" else 1)
        return Period(start, end, self.today)


def _parts(numerator: Fraction | int | None, denominator: int | None) -> list[Fraction | None]:
    if denominator is None:
        value = numerator
    elif denominator == 0 or numerator is None:
        value = None
    else:
        value = Fraction(numerator, denominator)
    return [None if part is None else Fraction(part) for part in (numerator, denominator, value)]


def _same(published: Decimal | None, recounted: Fraction | None) -> bool:
    """Exactly; what has no end as a decimal, to the last place that is published."""
    if published is None or recounted is None:
        return published is recounted
    places = Fraction(1, 10**8)
    is_whole = (recounted / places).denominator == 1
    return abs(Fraction(published) - recounted) <= (0 if is_whole else places)


def recount(home: Path, now: datetime) -> Recount:
    """Read everything of the installation whose $KHACH_HOME this is; `now` is its local time."""
    connection = read(home)
    marts, warehouse = home / "published/current/marts.duckdb", home / "warehouse.duckdb"
    connection.execute(f"attach '{marts}' as marts (read_only)")
    connection.execute(f"attach '{warehouse}' as warehouse (read_only)")
    connection.execute(f"attach '{home / 'state.duckdb'}' as state (read_only)")
    connection.execute(_WHOSE)
    connection.execute(
        "create table whose_visit as select anonymous_id, customer_id, "
        "started_at + interval 7 hour as first_at from marts.main.sessions"
    )
    connection.execute(
        "create table whose_cart as select split_part(cart_id, ':', 2) as cart_id, customer_id "
        "from marts.main.carts"
    )
    # A call from a list of ours is the listed person's, whoever else has the number.
    connection.execute(
        "create table whose_call as select substr(interaction_id, 10) as call_id, customer_id, "
        "coalesce(campaign_id, 'unknown') as campaign from marts.main.interactions "
        "where interaction_id like 'call:crm:%'"
    )
    rows = connection.execute(
        "select kpi, grain, period_start, slice, slice_value, numerator, denominator, value "
        "from marts.main.kpi_values"
    ).fetchall()
    published = {row[:5]: row[5:] for row in rows}
    return Recount(published, gather(connection, now), now.date())
