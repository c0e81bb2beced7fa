"""How likely each web session was to order, from what came before the order."""

from prediction.purchase_intent import score


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: session; and, without a session, one figure of the fit (as `model_fits` has it)."""
    dbt.config(materialized="table")
    return score(dbt.ref("session_features").to_arrow_table())
