"""The links that are not made, each with its reason: what would break a limit or an answer."""

from identity.quarantine import held_back


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one edge of identity_edges."""
    dbt.config(materialized="table")
    nodes = dbt.ref("identity_nodes").filter("blocked_by is null")
    return held_back(
        nodes.project("node_id, identifier_type, namespace, identifier_value").to_arrow_table(),
        dbt.ref("identity_edges").to_arrow_table(),
        dbt.ref("identity_limits").to_arrow_table(),
        apart=dbt.ref("identity_apart").to_arrow_table(),
    )
