"""Pairs of records that are one person by likeness, and pairs to ask somebody about."""

from contextlib import contextmanager

from identity.likely_pairs import likely_pairs


def model(dbt, session):
    """Grain: left_key x right_key; is_link tells a link from a question."""
    dbt.config(materialized="table")
    is_enabled, link_at, review_at, duplicate_free, leave_out = dbt.ref(
        "identity_match_settings"
    ).fetchone()
    records = dbt.ref("identity_match_records")
    records = records.to_arrow_table() if is_enabled else records.limit(0).to_arrow_table()
    with _half_the_memory(session):
        found = likely_pairs(
            records,
            link_at=link_at,
            review_at=review_at,
            duplicate_free=duplicate_free.split(),
            leave_out=leave_out.split(),
        )
    return found  # noqa: RET504  dbt looks for it here


@contextmanager
def _half_the_memory(session):
    """DuckDB gives back half of what it may hold, mostly pages that were read before.

    Pairs need gigabytes beside it, and what waits for identity cannot run meanwhile.
    """
    limit = session.sql("select current_setting('memory_limit')").fetchone()[0]
    size, unit = limit.split()
    session.execute(f"set memory_limit = '{float(size) / 2} {unit}'")
    try:
        yield
    finally:
        session.execute(f"set memory_limit = '{limit}'")
