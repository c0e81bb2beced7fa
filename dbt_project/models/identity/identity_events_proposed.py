"""What this run would write into the identity ledger."""

from identity.events import events_of


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one ledger event; empty when nothing about anybody changed."""
    dbt.config(materialized="table")
    last_customer_number, last_event_number = dbt.ref("identity_issued").fetchone()
    return events_of(
        dbt.ref("identity_proposal").to_arrow_table(),
        dbt.ref("identity_edges").to_arrow_table(),
        dbt.ref("identity_known").to_arrow_table(),
        last_customer_number=last_customer_number,
        last_event_number=last_event_number,
    )
