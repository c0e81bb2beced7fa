"""The figures of the report, read from the published marts; ratios from their own two parts."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

WINDOW_DAYS = 28
Record = dict[str, Any]

# name on the page, kpi, how it is read, whether more is better
TILES = (
    ("Gross revenue", "gross_revenue", "money", True),
    ("Orders", "orders", "count", True),
    ("Average order value", "average_order_value", "money", True),
    ("Cart abandonment", "cart_abandonment_rate", "share", False),
)


@dataclass(frozen=True)
class Tile:
    """A KPI over the last complete window beside the window before it; None: not known."""

    title: str
    kind: str
    value: float | None
    before: float | None
    more_is_better: bool
    days: int = WINDOW_DAYS

    @property
    def change(self) -> float | None:
        """Relative change; for a share the difference in share points."""
        if self.value is None or self.before is None:
            return None
        if self.kind == "share":
            return self.value - self.before
        return self.value / self.before - 1 if self.before else None

    @property
    def is_good(self) -> bool | None:
        """Whether the change is for the better; None below a tenth of a point."""
        return (
            None
            if abs(self.change or 0) < 0.0005
            else ((self.change or 0) > 0) == self.more_is_better
        )


class Figures:
    """Questions to a read-only session; a mart that is not published answers with nothing."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, last_day: date | None) -> None:
        self._connection = connection
        self._last_day = last_day
        rows = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'marts' "
            "and schema_name = 'main' and estimated_size > 0"
        ).fetchall()
        self._present = {str(row[0]) for row in rows}

    def tiles(self) -> list[Tile]:
        """The KPIs of the last complete days, each beside as many days before."""
        if self._last_day is None or "kpi_values" not in self._present:
            return []
        middle = self._last_day - timedelta(days=WINDOW_DAYS)
        start = middle - timedelta(days=WINDOW_DAYS)
        rows = self._rows(
            "kpi_values",
            "select kpi, period_start > $middle as is_now, sum(numerator) as numerator, "
            "sum(denominator) as denominator, count(distinct period_start) as days from kpi_values "
            "where grain = 'day' and slice = 'all' and list_contains($kpis, kpi) "
            "and period_start > $start and period_start <= $last group by all",
            kpis=[kpi for _, kpi, _, _ in TILES],
            start=start,
            middle=middle,
            last=self._last_day,
        )
        values = {(row["kpi"], row["is_now"]): _ratio(row) for row in rows}
        days = {row["is_now"]: row["days"] for row in rows}
        return [
            Tile(title, kind, values.get((kpi, True)),
                 values.get((kpi, False)) if days.get(False) == WINDOW_DAYS else None,
                 more_is_better, days.get(True, 0))
            for title, kpi, kind, more_is_better in TILES
        ]  # fmt: skip

    def revenue(self) -> tuple[str, list[Record]]:
        """Gross revenue per week (per day for short histories): grain, and period with amount."""
        series: list[Record] = []
        for grain, fewest in (("week", 8), ("day", 0)):
            series = self._rows(
                "kpi_values",
                "select period_start, value as amount, "
                "period_start + case $grain when 'week' then 7 else 1 end > "
                "coalesce($last, period_start) + 1 as is_partial from kpi_values "
                "where kpi = 'gross_revenue' and slice = 'all' and grain = $grain "
                "order by period_start desc limit 60",
                grain=grain,
                last=self._last_day,
            )[::-1]
            if len(series) >= fewest:
                return grain, series
        return "day", series

    def carts(self) -> list[Record]:
        """Cart abandonment per week, complete weeks only."""
        return self._rows(
            "kpi_values",
            "select period_start, value as share from kpi_values where slice = 'all' "
            "and kpi = 'cart_abandonment_rate' and grain = 'week' and value is not null "
            "and period_start + 6 <= coalesce($last, period_start) order by period_start",
            last=self._last_day,
        )

    def segments(self, kind: str) -> list[Record]:
        """Sizes of the segments of one kind (lifecycle, rfm, generation), largest first."""
        return self._rows(
            "segments",
            "select segment_name as name, count(customer_id) as customers from segments "
            "left join (from segment_membership where valid_to is null) using (segment_id) "
            "where segments.segment_kind = $kind group by all order by customers desc, name",
            kind=kind,
        )

    def funnel(self) -> list[Record]:
        """Sessions that reached each step of the web funnel, over the whole period."""
        return self._rows(
            "funnel_steps",
            "select step, sum(session_count)::bigint as sessions from funnel_steps "
            "where funnel = 'web' group by step, step_number order by step_number",
        )

    def people(self) -> Record:
        """Customers by what is known of them."""
        rows = self._rows(
            "customers",
            "select count(*) as customers, count(email) as with_email, "
            "count(phone_e164) as with_phone, count(*) filter (where order_count > 0) as buyers, "
            "count(*) filter (where order_count > 1) as repeat_buyers from customers",
        )
        both = self._rows(
            "orders",
            "select count(*) as both_channels from (select customer_id from orders "
            "where is_completed and customer_id is not null and channel in ('web', 'store') "
            "group by all having count(distinct channel) = 2)",
        )
        return (rows[0] if rows else {}) | (both[0] if both else {})

    def last_month(self) -> list[Record]:
        """Every KPI of the newest complete month, with both parts of its ratio."""
        return self._rows(
            "kpi_values",
            "select kpi, period_start, numerator, denominator, value from kpi_values "
            "where grain = 'month' and slice = 'all' and value is not null and period_start = ("
            "select max(period_start) from kpi_values where grain = 'month' "
            "and last_day(period_start) <= coalesce($last, last_day(period_start))) order by kpi",
            last=self._last_day,
        )

    def targets(self) -> list[Record]:
        """The newest targets whose period has begun, each with what was reached so far."""
        return self._rows(
            "kpi_target_progress",
            "select kpi, grain, period_start, slice, slice_value, target, actual, share_reached, "
            "is_over from kpi_target_progress where period_start <= coalesce($last, period_start) "
            "order by period_start desc, grain, kpi, slice, slice_value limit 40",
            last=self._last_day,
        )

    def unattributed(self) -> Record:
        """Completed orders that belong to no known customer, beside all of them."""
        rows = self._rows(
            "orders",
            "select count(*) as orders, count(*) filter (where customer_id is null) as unknown, "
            "sum(gross_amount) as amount, "
            "sum(gross_amount) filter (where customer_id is null) as unknown_amount "
            "from orders where is_completed",
        )
        return rows[0] if rows else {}

    def _rows(self, table: str, sql: str, **values: Any) -> list[Record]:
        if table not in self._present:
            return []
        cursor = self._connection.execute(sql, values or None)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _ratio(row: Record) -> float | None:
    """A KPI of several days from the sums of its parts; NULL when the denominator is 0."""
    numerator: Decimal | None = row["numerator"]
    denominator: Decimal | None = row["denominator"]
    if numerator is None or denominator == 0:
        return None
    return float(numerator if denominator is None else numerator / denominator)
