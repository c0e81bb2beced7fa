"""Sales of the coming days, per series."""

from prediction.sales_forecast import forecast


def model(dbt, session):  # noqa: ARG001  dbt calls it with both
    """Grain: series (slice, slice_value, measure) x day ahead; no day where it was refused."""
    dbt.config(materialized="table")
    return forecast(dbt.ref("daily_sales").to_arrow_table())
