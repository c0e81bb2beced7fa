"""The links that are not made, each with its reason: what would break a limit of identity.yml."""

from identity.quarantine import held_back


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: one edge of identity_edges."""
    dbt.config(materialized="table")
    return held_back(
        dbt.ref("identity_nodes").filter("blocked_by is null").to_arrow_table(),
        dbt.ref("identity_edges").to_arrow_table(),
        dbt.ref("identity_limits").to_arrow_table(),
    )
