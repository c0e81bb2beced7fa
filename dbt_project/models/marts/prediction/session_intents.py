"""How likely each web session was to order, from what came before the order."""

from prediction.purchase_intent import score


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: session; and, without a session, one figure of the fit (as `model_fits` has it)."""
    dbt.config(materialized="table")
    settings = dbt.ref("prediction_settings").project("lowest_auc, fewest_held_out")
    lowest_auc, fewest_held_out = settings.fetchone()
    return score(
        dbt.ref("session_features").to_arrow_table(),
        lowest_auc=lowest_auc,
        fewest_held_out=fewest_held_out,
    )
