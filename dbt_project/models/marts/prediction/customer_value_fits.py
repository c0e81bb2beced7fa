"""The customer value models, fitted to this business, or why its data does not allow them."""

from prediction.customer_value import fit


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: model x parameter."""
    dbt.config(materialized="table")
    return fit(dbt.ref("customer_purchases").to_arrow_table())
