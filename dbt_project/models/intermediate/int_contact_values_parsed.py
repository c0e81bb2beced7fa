"""Each raw contact value parsed once; only values not held yet are looked at."""

from identity.contact_values import parse_contact_values


def model(dbt, session):
    """Grain: kind x country x raw value x position. Appends the values not held yet."""
    dbt.config(materialized="incremental", incremental_strategy="append")
    values = dbt.ref("int_contact_values").set_alias("found")
    if dbt.is_incremental:
        held = session.sql(f"select kind, country, raw_value from {dbt.this}").set_alias("held")
        same = " and ".join(f"found.{key} = held.{key}" for key in ("kind", "country", "raw_value"))
        values = values.join(held, same, how="anti")
    return parse_contact_values(values.to_arrow_table())
