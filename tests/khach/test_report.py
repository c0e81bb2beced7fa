"""The report stands alone: no script, nothing from outside, no personal data, whole or absent."""

import re
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from khach.environment import Environment
from khach.init import initialise
from khach.report import write_report
from khach.report.figures import Tile
from khach.report.page import kpi_sum, kpi_value
from tests.khach.shop import open_shop

VOID = {"meta", "br"}


class _Page(HTMLParser):
    """Tags in order, unclosed ones, and every address an element points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [
            str(v) for k, v in attrs if k.rpartition(":")[2] in {"href", "src", "data", "action"}
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(env: Environment) -> str:
    open_shop(env)
    initialise(env, "sandbox", force=True)
    path = write_report(env)
    assert path == env.published / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_points_to_nothing_outside(page: str) -> None:
    parsed = _Page(page)
    assert parsed.open == []
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(parsed.tags)
    assert all(address.startswith("#") for address in parsed.addresses)
    assert not re.search(r"https?:|//[a-z]|@import|javascript:|\son[a-z]+=", page)


def test_the_page_shows_customers_segments_funnel_kpis_plans_rows_and_gates(page: str) -> None:
    for expected in ("1,000", "Gross revenue", "Champions", "Lifecycle", "product view",
                     "cart abandoners", "2 acknowledged", "web_shop", "1 of 2 checks passed",
                     "30 June 2026", "Average order value", "repeat purchase rate",
                     "month of 2026-06-01", "97.5%"):  # fmt: skip
        assert expected in page, expected
    assert page.count("<svg") >= 5
    assert 'class="wrong"' in page


def test_every_plot_has_a_spoken_title_and_every_table_a_header(page: str) -> None:
    assert page.count("<svg") == len(re.findall(r'<svg role="img" aria-label="[^"]{10,}"', page))
    assert page.count("<table") == page.count("<thead>")
    assert '<html lang="en">' in page
    assert 'name="viewport"' in page
    assert "@media print" in page


def test_no_personal_data_is_on_the_page(page: str) -> None:
    assert "@example" not in page
    assert "Nguyễn" not in page
    assert not re.search(r"\+849\d", page)


def test_the_same_figures_give_the_same_bytes(env: Environment, page: str) -> None:
    path = write_report(env)
    assert path
    assert path.read_text(encoding="utf-8") == page
    assert not list(env.published.glob(".report*"))


def test_fonts_are_cached_under_the_home_and_nowhere_else(env: Environment, page: str) -> None:
    assert (env.home / "matplotlib").is_dir()


def test_without_any_run_there_is_no_report(env: Environment) -> None:
    assert write_report(env) is None


def test_a_failed_first_run_is_reported_without_a_snapshot(env: Environment) -> None:
    from khach.operations import publish_operations
    from khach.runs import end_stage, start_stage

    initialise(env, "sandbox", force=True)
    start_stage(env, "r1", "run")
    end_stage(env, "r1", "run", "failed", "source tills <b>is away</b>")
    publish_operations(env)
    path = write_report(env)
    assert path
    text = path.read_text(encoding="utf-8")
    assert "Nothing has been published yet" in text
    assert "&lt;b&gt;is away" in text


@pytest.mark.parametrize(
    ("tile", "change", "is_good"),
    [
        (Tile("x", "count", 110.0, 100.0, True), 0.1, True),
        (Tile("x", "share", 0.6, 0.5, False), 0.1, False),
        (Tile("x", "count", 5.0, 0.0, True), None, None),
        (Tile("x", "money", None, 1.0, True), None, None),
        (Tile("x", "count", 100.0, 100.0, True), 0.0, None),
    ],
)
def test_a_change_is_good_or_bad_by_what_the_kpi_means(
    tile: Tile, change: float | None, is_good: bool | None
) -> None:
    assert tile.change == pytest.approx(change)
    assert tile.is_good is is_good


@pytest.mark.parametrize(
    ("kpi", "value", "in_vnd", "in_usd"),
    [
        ("average_order_value", Decimal("2198666.66666667"), "2,198,667", "2,198,666.67"),
        ("average_order_value", Decimal("0.50000000"), "1", "0.5"),
        ("open_rate", Decimal("0.43"), "43.0%", "43.0%"),
        ("cart_recovery_incremental", Decimal("-0.051"), "-5.1%", "-5.1%"),
        ("complaint_rate", Decimal("1.5"), "150.0%", "150.0%"),
        ("first_response_time", Decimal("12.345"), "12.34", "12.34"),
        ("gross_revenue", None, "–", "–"),
    ],
)
def test_a_kpi_is_read_in_its_unit_and_money_in_whole_coins(
    kpi: str, value: Decimal | None, in_vnd: str, in_usd: str
) -> None:
    assert (kpi_value(value, kpi, "VND"), kpi_value(value, kpi, "USD")) == (in_vnd, in_usd)


def test_a_numerator_is_an_amount_or_a_count() -> None:
    assert kpi_sum(Decimal("1999.9"), "average_order_value", "VND") == "2,000"
    assert kpi_sum(Decimal("12.0000"), "open_rate", "VND") == "12"
