"""Public data sets, by configuration only: the counts and sums of their published descriptions."""

from decimal import Decimal

import pytest
from landed_data import Configure, rows_of

from ingestion.run import ingest
from khach.environment import PROJECT, Environment


def _ingest(env: Environment, configure: Configure, name: str) -> tuple[int, int]:
    configure((PROJECT / "khach" / "templates" / name / "sources.yml").read_text())
    load = ingest(env, name)
    assert load is not None
    counts = load.tables["order_lines"]
    assert counts.rows_quarantined == 0
    return counts.rows_offered, counts.rows_landed


@pytest.mark.samples
def test_online_retail_lands_whole_with_the_usual_cleaning_marked(
    env: Environment, configure: Configure
) -> None:
    assert _ingest(env, configure, "online_retail") == (541_909, 541_909)
    kept = "filter (where _is_kept)"
    assert rows_of(
        env, "online_retail", "order_lines",
        f"count(*) {kept}, sum(line_amount) {kept}, count(distinct external_id) {kept}, "
        "sum(units), sum(line_amount), count(distinct order_id), count(distinct order_line_id), "
        "min(ordered_at)::varchar, max(ordered_at)::varchar, "
        "count(distinct order_id) filter (status = 'cancelled')",
    ) == [
        (397_884, Decimal("8911407.904"), 4_338, 5_176_450, Decimal("9747747.934"), 25_900,
         541_909, "2010-12-01 08:26:00", "2011-12-09 12:50:00", 3_836)
    ]  # fmt: skip


@pytest.mark.samples
def test_cdnow_lands_whole_to_the_cent(env: Environment, configure: Configure) -> None:
    assert _ingest(env, configure, "cdnow") == (69_659, 69_659)
    assert rows_of(
        env, "cdnow", "order_lines",
        "count(distinct external_id), sum(units), sum(line_amount), count(distinct order_id), "
        "min(ordered_at)::varchar, max(ordered_at)::varchar",
    ) == [
        (23_570, 167_881, Decimal("2500315.63"), 67_591, "1997-01-01 05:00:00",
         "1998-06-30 04:00:00")
    ]  # fmt: skip
