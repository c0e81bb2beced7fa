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


@pytest.mark.nightly
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


@pytest.mark.nightly
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


@pytest.mark.nightly
def test_jaffle_shop_classic_equals_its_reference_figures(tmp_path: Path) -> None:
    shop = sample(tmp_path, "jaffle_shop_classic")
    assert account(shop) == (425, 425, 0, 0, 0, 425)  # 100 + 99 + 2 * 113
    with shop.marts() as marts:
        found = marts.execute(
            "select (select count(*) from customers), count(*), count(distinct customer_id), "
            "sum(gross_amount), (select sum(amount) from payments), min(ordered_on)::varchar, "
            "max(ordered_on)::varchar from orders"
        ).fetchone()
        methods = marts.execute("select method, sum(amount) from payments group by 1").fetchall()
        statuses = marts.execute("select status, count(*) from orders group by 1").fetchall()
    paid = Decimal("1672.0000")
    assert found == (100, 99, 62, paid, paid, "2018-01-01", "2018-04-09")
    assert dict(methods) == {"credit_card": 871, "bank_transfer": 411, "gift_card": 205,
                             "coupon": 185}  # fmt: skip
    assert dict(statuses) == {"completed": 67, "fulfilled": 13, "paid": 13, "returned": 6}


@pytest.mark.nightly
def test_jaffle_shop_generated_equals_its_reference_figures(tmp_path: Path) -> None:
    chain = sample(tmp_path, "jaffle_shop_generated")
    with chain.marts() as marts:
        stores = marts.execute(
            "select store_name, count(distinct order_id), sum(amount) from payments "
            "join orders using (order_id) join stores using (store_id) group by 1"
        ).fetchall()
        totals = marts.execute(
            "select (select count(*) from customers), count(*), sum(gross_amount), "
            "count(*) filter (gross_amount = 0), "
            "(select count(distinct customer_id) from interactions where kind = 'message') "
            "from orders"
        ).fetchone()
    assert {name: (orders, paid) for name, orders, paid in stores} == {
        "Philadelphia": (47106, Decimal("529988.38")), "Brooklyn": (25547, Decimal("277242.48")),
    }  # fmt: skip
    assert totals == (938, 72653, Decimal("766596"), 586, 775)


@pytest.mark.nightly
def test_complete_journey_equals_its_reference_figures(tmp_path: Path) -> None:
    grocer = sample(tmp_path, "complete_journey_a")
    with grocer.marts() as marts:
        totals = marts.execute(
            "select count(*), count(distinct customer_id), count(distinct store_id), "
            "sum(gross_amount) from orders"
        ).fetchone()
        months = marts.execute(
            "select strftime(ordered_on, '%Y-%m'), count(*), count(distinct customer_id), "
            "sum(gross_amount) from orders group by 1"
        ).fetchall()
        bands = marts.execute(
            "select age_band, count(*), sum(gross_revenue_amount) from customers "
            "where age_band <> 'unknown' group by 1"
        ).fetchall()
        redeemed = marts.execute(
            "select audience, count(*), count(distinct customer_id) from coupon_redemptions "
            "join offers using (offer_id) join campaigns using (campaign_id) group by 1"
        ).fetchall()
        targeted = marts.execute(
            "select audience, count(*), count(distinct customer_id) from interactions "
            "join campaigns using (campaign_id) where interactions.channel = 'post' group by 1"
        ).fetchall()
    assert totals == (77312, 1231, 311, Decimal("2292986.86"))
    found = {month: rest for month, *rest in months}
    assert found["2017-01"] == [6272, 986, Decimal("183832.72")]
    assert found["2017-12"] == [6502, 1021, Decimal("211682.44")]
    assert found["2018-01"] == [42, 36, Decimal("954.18")]
    assert {band: tuple(rest) for band, *rest in bands} == {
        "18_24": (25, Decimal("64871.60")), "25_34": (68, Decimal("236308.81")),
        "35_44": (95, Decimal("352249.36")), "45_54": (142, Decimal("461696.54")),
        "55_64": (22, Decimal("77519.65")), "65_plus": (30, Decimal("70446.15")),
    }  # fmt: skip
    assert sorted(redeemed) == [("Type A", 935, 187), ("Type B", 187, 64), ("Type C", 26, 14)]
    assert sorted(targeted) == [("Type A", 1785, 732), ("Type B", 1163, 482), ("Type C", 274, 189)]


@pytest.mark.nightly
def test_online_shoppers_equal_their_reference_figures(tmp_path: Path) -> None:
    shoppers = sample(tmp_path, "online_shoppers")
    with shoppers.marts() as marts:
        found = marts.execute(
            "select visitor_type, count(*), count(*) filter (has_order) from sessions "
            "group by rollup (visitor_type) order by 2 desc"
        ).fetchall()
        intent = marts.execute(
            "select (select value from model_fits where model = 'purchase_intent' "
            "and parameter = 'holdout_auc'), count(*), count(purchase_intent) from sessions"
        ).fetchone()
    assert intent[0] >= 0.87  # type: ignore[index]
    assert intent[1:] == (12330, 12330)  # type: ignore[index]
    assert found[0] == (None, 12330, 1908)
    rates = {kind: (count, round(100 * ordered / count, 4)) for kind, count, ordered in found[1:]}
    assert rates == {"returning": (10551, 13.9323), "new": (1694, 24.9115), "other": (85, 18.8235)}


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["fivetran_mailchimp", "fivetran_qualtrics"])
def test_tables_of_an_elt_tool_reach_the_marts(name: str, tmp_path: Path) -> None:
    landed = sample(tmp_path, name)
    offered, rows, quarantined, *_ = account(landed)
    assert (offered, quarantined) == (rows, 0)
    with landed.marts() as marts:
        events = marts.execute(
            "select kind, count(*) from interactions where channel = 'email' group by 1"
        ).fetchall()
        answers = marts.execute("select count(*) from survey_responses").fetchone()
    if name == "fivetran_mailchimp":
        assert dict(events) == {"message": 13, "open": 14, "click": 11}
    else:
        assert answers == (10,)
