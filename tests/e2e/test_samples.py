"""Real public data by configuration alone: the figures of the data sets' own READMEs."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.samples, pytest.mark.xdist_group("samples")]

# month: (revenue, orders, customers) of the cleaned rows, from online_retail/README.md.
MONTHS = {
    "2010-12": ("572713.89", 1400, 885), "2011-01": ("569445.04", 987, 741),
    "2011-02": ("447137.35", 997, 758), "2011-03": ("595500.76", 1321, 974),
    "2011-04": ("469200.36", 1149, 856), "2011-05": ("678594.56", 1555, 1056),
    "2011-06": ("661213.69", 1393, 991), "2011-07": ("600091.01", 1331, 949),
    "2011-08": ("645343.90", 1280, 935), "2011-09": ("952838.38", 1755, 1266),
    "2011-10": ("1039318.79", 1929, 1364), "2011-11": ("1161817.38", 2657, 1664),
    "2011-12": ("518192.79", 778, 615),
}  # fmt: skip
COUNTRIES = {
    "United Kingdom": ("7308391.55", 16646, 3920), "Netherlands": ("285446.34", 94, 9),
    "EIRE": ("265545.90", 260, 3), "Germany": ("228867.14", 457, 94),
    "France": ("209024.05", 389, 87),
}  # fmt: skip


def sample(folder: Path, template: str) -> Installation:
    """A data set's template, run through the whole job."""
    installation = Installation(folder / template, environment="dev")
    installation.folder.mkdir()
    installation.khach("init", "--from-template", template)
    lines = [len(f.read_text().splitlines()) for f in installation.config.glob("*.yml")]
    assert sum(lines) < 40
    installation.khach("run")
    return installation


def account(installation: Installation) -> tuple:
    with installation.operations() as operations:
        row = operations.execute(
            "select sum(rows_offered), sum(rows_landed), sum(rows_quarantined), "
            "sum(rows_filtered), sum(rows_duplicate), sum(rows_in_marts) from data_quality"
        ).fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


def test_online_retail_equals_its_reference_figures(tmp_path: Path) -> None:
    retail = sample(tmp_path, "online_retail")
    assert account(retail) == (541909, 541909, 0, 144025, 0, 397884)
    with retail.marts() as marts:
        lines = marts.execute("select count(*), sum(line_amount) from order_lines").fetchone()
        customers = marts.execute("select count(*) from customers").fetchone()
        months = _figures(marts, "strftime(ordered_at, '%Y-%m')")
        countries = _figures(marts, "country")
        kpis = marts.execute(
            "select strftime(period_start, '%Y-%m'), value from kpi_values "
            "where kpi = 'gross_revenue' and grain = 'month' and slice = 'all'"
        ).fetchall()
    assert lines == (397884, Decimal("8911407.9040"))
    assert customers == (4338,)
    for expected, found in ((MONTHS, months), (COUNTRIES, countries)):
        for key, (revenue, orders, buyers) in expected.items():
            assert abs(found[key][0] - Decimal(revenue)) <= Decimal("0.005"), key
            assert found[key][1:] == (orders, buyers), key
    assert set(months) == set(MONTHS)
    for month, value in kpis:
        assert abs(Decimal(value) - Decimal(MONTHS[month][0])) <= Decimal("0.005"), month
    assert len(kpis) == len(MONTHS)


def _figures(marts: object, key: str) -> dict[str, tuple[Decimal, int, int]]:
    """Revenue, orders and customers by a key; the data set's local time is London's."""
    rows = marts.execute(  # type: ignore[attr-defined]
        f"select {key.replace('ordered_at', _LOCAL)}, sum(gross_amount), count(*), "
        "count(distinct customer_id) from orders group by 1"
    ).fetchall()
    return {name: (revenue, orders, customers) for name, revenue, orders, customers in rows}


_LOCAL = "timezone('Europe/London', timezone('UTC', ordered_at))"


def test_cdnow_equals_its_reference_figures(tmp_path: Path) -> None:
    cdnow = sample(tmp_path, "cdnow")
    assert account(cdnow) == (69659, 69659, 0, 0, 0, 69659)
    with cdnow.marts() as marts:
        found = marts.execute(
            "select count(*), sum(units), sum(line_amount) from order_lines"
        ).fetchone()
        customers = marts.execute("select count(*) from customers").fetchone()
    assert found == (69659, Decimal(167881), Decimal("2500315.6300"))
    assert customers == (23570,)
