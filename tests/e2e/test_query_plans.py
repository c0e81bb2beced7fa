"""How the models' queries are executed: work must grow with the rows, not with their square."""

import duckdb
import pytest

from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]

NESTED_LOOPS = ("BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT", "IE_JOIN")
# Models one of whose sides is a handful of rows by definition: thresholds, generations, one count.
SMALL_SIDE = {
    "customer_profiles",
    "customers",
    "identity_ledger",
    "lifecycle_intervals",
    # The history's first day.
    "segment_history",
    "segment_membership",
    "segment_transitions",
    # One row: the bounds of the history, the rate or the fit of all leads, the best province.
    "customer_purchases",
    "customer_reach_days",
    "lead_score_fit",
    "lead_score_rates",
    "lead_scores",
    "market_potential",
    "open_lead_values",
    # The few purposes that somebody can refuse.
    "int_consent_words",
    # Days of the calendar, by the channels there are or the levels of consent.
    "daily_sales",
    "kpi_reach",
}


def test_no_model_compares_every_row_with_every_other(twin: Installation) -> None:
    models = sorted(twin.home.glob("dbt/compiled/khach/models/**/*.sql"))
    plans = {}
    with duckdb.connect(str(twin.home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute(f"attach '{twin.home / 'state.duckdb'}' as state (read_only)")
        for path in models:
            if path.is_file() and path.parent.suffix != ".yml":
                row = connection.execute(f"explain {path.read_text(encoding='utf-8')}").fetchone()
                plans[path.stem] = str(row[1] if row else "")
    assert len(plans) > 90
    slow = {name for name, plan in plans.items() if any(word in plan for word in NESTED_LOOPS)}
    assert slow - SMALL_SIDE == set()
