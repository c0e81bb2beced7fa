"""How the graph of identifiers is after this run, before anything is recorded."""

from identity.health import figures


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one figure (metric, value)."""
    dbt.config(materialized="table")
    columns = "identifier_type, customer_number, previous_customer_number"
    return figures(
        dbt.ref("identity_proposal").project(columns).to_arrow_table(),
        dbt.ref("identity_quarantine").project("reason").to_arrow_table(),
        dbt.ref("identity_events_proposed").project("event").to_arrow_table(),
    )
