"""How the graph of identifiers is after this run, before anything is recorded."""

from identity.health import figures


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one figure (metric, value)."""
    dbt.config(materialized="table")
    return figures(
        dbt.ref("identity_proposal").to_arrow_table(),
        dbt.ref("identity_quarantine").to_arrow_table(),
        dbt.ref("identity_events_proposed").to_arrow_table(),
    )
