"""Pairs of records that are one person by likeness, and pairs to ask somebody about."""

from identity.likely_pairs import likely_pairs


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: left_key x right_key; is_link tells a link from a question."""
    dbt.config(materialized="table")
    is_enabled, link_at, review_at, duplicate_free, leave_out = dbt.ref(
        "identity_match_settings"
    ).fetchone()
    records = dbt.ref("identity_match_records")
    return likely_pairs(
        records.to_arrow_table() if is_enabled else records.limit(0).to_arrow_table(),
        link_at=link_at,
        review_at=review_at,
        duplicate_free=duplicate_free.split(),
        leave_out=leave_out.split(),
    )
