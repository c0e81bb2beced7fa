"""Where every customer id ever issued leads today."""

from identity.survivors import survivors


def model(dbt, session):
    """Grain: customer_id; an id that nobody bears any more has no row."""
    dbt.config(materialized="table")
    columns = "event_number, event, customer_number, other_customer_number"
    found = survivors(dbt.ref("identity_ledger").project(columns).to_arrow_table())
    return session.from_arrow(found).project(
        "format('C{:07d}', customer_number) as customer_id, "
        "format('C{:07d}', current_customer_number) as current_customer_id"
    )
