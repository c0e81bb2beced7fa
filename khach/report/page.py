"""Writes report.html: what the pipeline found and did, without personal data."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from khach.configuration import write_atomically
from khach.environment import Environment
from khach.errors import KhachError
from khach.kpi_catalogue import bounds_by_kpi, money_kpis
from khach.money import decimals, rounded
from khach.overview import overview
from khach.readers import read_only_session
from khach.report import plots
from khach.report.figures import Figures, Tile
from khach.settings import Settings, load_settings


def write_report(env: Environment) -> Path | None:
    """Replace `published/report.html`; its path, or None when nothing was ever run here."""
    import jinja2

    try:
        facts = overview(env)
    except KhachError:
        return None
    settings = load_settings(env)
    plots.prepare(env)
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    currency = settings.reporting_currency
    templates.filters |= {
        "number": number,
        "share": share,
        "money": lambda value: money(value, currency),
        "kpi": lambda value, name: kpi_value(value, name, currency),
        "kpi_sum": lambda value, name: kpi_sum(value, name, currency),
    }
    page = templates.get_template("page.html.j2").render(_content(env, settings, facts))
    path = env.published / "report.html"
    write_atomically(path, page)
    return path


def number(value: Any) -> str:
    """A number with thousands separators; an en dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.4f}".rstrip("0")


def share(value: Any) -> str:
    """A share of 1 as a percentage with one decimal."""
    return "–" if value is None else f"{value:.1%}"


def money(value: Any, currency: str) -> str:
    """An amount with the decimals of its currency."""
    return number(value if value is None else rounded(Decimal(value), currency))


def kpi_value(value: Any, kpi: str, currency: str) -> str:
    """A KPI's value or target in its unit."""
    if kpi in money_kpis():
        return money(value, currency)
    if kpi.endswith("_rate") or bounds_by_kpi().get(kpi) in ((0, 1), (-1, 1)):
        return share(value)
    return number(value if value is None else round(value, 2))


def kpi_sum(value: Any, kpi: str, currency: str) -> str:
    """What a KPI's numerator adds up: an amount, or a count."""
    return money(value, currency) if kpi in money_kpis() else number(value)


def _content(env: Environment, settings: Settings, facts: Mapping[str, Any]) -> dict[str, Any]:
    as_of = _local(facts, settings)
    last_day = as_of.date() - timedelta(days=1) if as_of else None
    with read_only_session(env) as connection:
        figures = Figures(connection, last_day)
        tiles = [_tile(tile, settings.reporting_currency) for tile in figures.tiles()]
        return {
            **facts,
            "environment": env.name,
            "last_day": last_day,
            "time_zone": settings.business_time_zone,
            "currency": settings.reporting_currency,
            "tiles": tiles,
            "people": figures.people(),
            "unattributed": figures.unattributed(),
            "month": figures.last_month(),
            "targets": figures.targets(),
            **_plots(figures, settings.reporting_currency),
        }


def _plots(figures: Figures, currency: str) -> dict[str, Any]:
    grain, revenue = figures.revenue()
    carts, funnel = figures.carts(), figures.funnel()
    return {
        "revenue_grain": grain,
        "revenue_plot": _unless_empty(
            revenue,
            lambda: plots.columns(
                [row["period_start"] for row in revenue],
                [float(row["amount"] or 0) for row in revenue],
                [row["is_partial"] for row in revenue],
                f"Gross revenue per {grain} in {currency}, {len(revenue)} {grain}s, "
                f"newest {plots.compact(float(revenue[-1]['amount'] or 0))}",
            ),
        ),
        "cart_plot": _unless_empty(
            carts,
            lambda: plots.line(
                [row["period_start"] for row in carts],
                [float(row["share"]) for row in carts],
                f"Cart abandonment per week, newest {float(carts[-1]['share']):.0%}",
            ),
        ),
        "funnel_plot": _unless_empty(
            funnel,
            lambda: plots.funnel(
                [str(row["step"]).replace("_", " ") for row in funnel],
                [row["sessions"] for row in funnel],
                "Web funnel: " + _spoken(funnel, "step", "sessions"),
            ),
        ),
        "segment_plots": [
            (title, plot)
            for title, kind in (("Lifecycle", "lifecycle"), ("RFM", "rfm"),
                                ("Generation", "generation"))
            if (plot := _segments(figures, title, kind))
        ],
    }  # fmt: skip


def _segments(figures: Figures, title: str, kind: str) -> str | None:
    sizes = [row for row in figures.segments(kind) if row["customers"]]
    return _unless_empty(
        sizes,
        lambda: plots.bars(
            [row["name"] for row in sizes],
            [row["customers"] for row in sizes],
            f"{title} segments: " + _spoken(sizes, "name", "customers"),
        ),
    )


def _unless_empty(rows: list[dict[str, Any]], draw: Callable[[], str]) -> Any:
    """A drawn plot, marked as safe for the template; None without rows."""
    from markupsafe import Markup

    return Markup(draw()) if rows else None  # noqa: S704 (our own SVG, titles escaped)


def _spoken(rows: list[dict[str, Any]], name: str, count: str) -> str:
    return ", ".join(f"{row[name]} {row[count]:,}".replace("_", " ") for row in rows)


def _tile(tile: Tile, currency: str) -> dict[str, Any]:
    unit = "points" if tile.kind == "share" else "%"
    return {
        "title": tile.title,
        "value": _value(tile.value, tile.kind, currency),
        "days": tile.days,
        "change": None if tile.change is None else f"{tile.change * 100:+.1f} {unit}",
        "tone": {True: "good", False: "bad", None: "same"}[tile.is_good],
    }


def _value(value: float | None, kind: str, currency: str) -> str:
    if value is None:
        return "–"
    if kind == "share":
        return f"{value:.1%}"
    if kind == "count":
        return f"{value:,.0f}"
    if value >= 1e6:
        return f"{plots.compact(value)} {currency}"
    return f"{value:,.{decimals(currency)}f} {currency}"


def _local(facts: Mapping[str, Any], settings: Settings) -> datetime | None:
    """The end of the observed period in business time; midnight ends the day before."""
    run = facts["run"]
    as_of: datetime | None = run["as_of"] if run else None
    if as_of is None:
        return None
    return as_of.replace(tzinfo=UTC).astimezone(ZoneInfo(settings.business_time_zone))
