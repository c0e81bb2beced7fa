"""The main job at the sizes that people really have: two days, nothing lost, nothing doubled."""

from pathlib import Path

import pytest

from tests.e2e import effect_figures, identity_figures, kpi_figures
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.nightly, pytest.mark.xdist_group("sizes")]


@pytest.mark.parametrize("size", ["S", "M"])
def test_two_days_of_a_larger_retailer_reconcile(size: str, tmp_path: Path) -> None:
    retailer = Installation(tmp_path / size)
    retailer.folder.mkdir()
    retailer.khach("init", "--sandbox")
    retailer.khach("sandbox", "advance", "--size", size)
    totals = []
    for _ in range(2):
        retailer.khach("run")
        with retailer.operations() as operations:
            unbalanced = operations.execute(
                "select source, table_name from data_quality group by all having "
                "sum(rows_offered) <> sum(rows_landed) + sum(rows_quarantined) or sum(rows_landed) "
                "<> sum(rows_in_marts) + sum(rows_duplicate) + sum(rows_filtered)"
            ).fetchall()
        assert unbalanced == []
        with retailer.marts() as marts:
            totals.append(
                marts.execute(
                    "select count(*), count(distinct customer_id), "
                    "(select count(*) from orders), (select sum(gross_amount) from orders), "
                    "(select sum(line_amount) from order_lines) from customers"
                ).fetchone()
            )
        identity_figures.hold(retailer)
        effect_figures.hold(retailer, size)
        if size == "S":  # ninety days: windows have passed
            kpi_figures.hold(retailer, draws=10, slices=10)
        retailer.khach("sandbox", "advance")
    for customers, distinct, _, gross, lines in totals:
        assert customers == distinct
        assert gross == lines
    assert totals[0][2] < totals[1][2] < 1.2 * totals[0][2]
