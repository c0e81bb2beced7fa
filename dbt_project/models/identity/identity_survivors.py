"""Where every customer id ever issued leads today."""

from identity.survivors import survivors


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: customer_id; an id that nobody bears any more has no row."""
    dbt.config(materialized="table")
    columns = "event_number, event, customer_id, other_customer_id"
    return survivors(dbt.ref("identity_ledger").project(columns).to_arrow_table())
