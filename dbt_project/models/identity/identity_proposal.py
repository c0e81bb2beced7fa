"""Who would be whom after this run, before anything is recorded."""

from identity.propose import propose


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one identifier that may link. The tests on this table are the graph-health gate."""
    dbt.config(materialized="table")
    nodes = dbt.ref("identity_nodes").filter("blocked_by is null").set_alias("nodes")
    keys = ("identifier_type", "namespace", "identifier_value")

    same = " and ".join(f"nodes.{key} = other.{key}" for key in keys)
    known = nodes.join(dbt.ref("identity_known").set_alias("other"), same, how="left")
    links = nodes.join(dbt.ref("identity_links").set_alias("other"), same, how="inner")
    issued = dbt.ref("identity_issued").fetchone()
    return propose(
        known.project(
            "nodes.*, other.customer_number as previous_customer_number"
        ).to_arrow_table(),
        dbt.ref("identity_edges").project("left_node, right_node").to_arrow_table(),
        last_customer_number=issued[0],
        quarantine=dbt.ref("identity_quarantine")
        .project("left_node, right_node, left_shared, right_shared")
        .to_arrow_table(),
        links=links.project(
            "nodes.node_id, other.event_number, other.customer_number, other.is_held"
        ).to_arrow_table(),
    )
