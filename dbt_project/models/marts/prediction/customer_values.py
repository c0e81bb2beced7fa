"""What the fitted models expect of each customer who has bought."""

from prediction.customer_value import predict


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: customer; both figures are null where their model was refused."""
    dbt.config(materialized="table")
    settings = dbt.ref("prediction_settings").project("margin_rate, discount_rate")
    margin_rate, discount_rate = settings.fetchone()
    return predict(
        dbt.ref("customer_purchases").to_arrow_table(),
        dbt.ref("customer_value_fits").to_arrow_table(),
        margin_rate=margin_rate,
        discount_rate=discount_rate,
    )
