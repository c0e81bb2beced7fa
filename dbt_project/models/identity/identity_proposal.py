"""Who would be whom after this run, before anything is recorded."""

from identity.propose import propose


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one identifier that may link. The tests on this table are the graph-health gate."""
    dbt.config(materialized="table")
    nodes = dbt.ref("identity_nodes").set_alias("nodes")
    known = dbt.ref("identity_known").set_alias("known")
    keys = ("identifier_type", "namespace", "identifier_value")
    joined = (
        nodes.filter("blocked_by is null")
        .set_alias("nodes")
        .join(known, " and ".join(f"nodes.{key} = known.{key}" for key in keys), how="left")
    )
    issued = dbt.ref("identity_issued").fetchone()
    return propose(
        joined.project("nodes.*, known.customer_id as previous_customer_id").to_arrow_table(),
        dbt.ref("identity_edges").to_arrow_table(),
        last_customer_number=issued[0],
        quarantine=dbt.ref("identity_quarantine").to_arrow_table(),
        links=dbt.ref("identity_past").to_arrow_table(),
    )
