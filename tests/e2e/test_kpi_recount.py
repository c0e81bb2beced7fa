"""Every published KPI equals what the sandbox's own files give by docs/kpis.md."""

import pytest

from tests.e2e import kpi_figures
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]


def test_every_kpi_of_a_random_week_is_what_the_sources_say(twin: Installation) -> None:
    kpi_figures.hold(twin)


def test_a_figure_that_is_not_what_the_sources_say_is_named(twin: Installation) -> None:
    counted = kpi_figures.recount_of(twin)
    key = ("orders", "month", counted.today.replace(day=1), "all", "all")
    orders = counted.published[key][0]
    assert orders is not None
    counted.published[key] = (orders + 1, None, orders)
    found = [str(difference) for difference in counted.differences([key])]
    assert found == [
        f"orders month {key[2]} all=all: numerator published {orders + 1:.0f}, "
        f"recounted {orders:.0f}"
    ]
