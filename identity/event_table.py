"""The columns of the identity ledger that a proposal or a decision fills."""

import pyarrow as pa

from identity.graph import KEY

SCHEMA = pa.schema(
    [
        ("event_number", pa.int64()),
        ("event", pa.string()),
        ("customer_id", pa.string()),
        ("other_customer_id", pa.string()),
        *((key, pa.string()) for key in KEY),
        ("rule", pa.string()),
        ("triggering_source", pa.string()),
        ("triggering_record_id", pa.string()),
    ]
)


def event_table(length: int, **columns: object) -> pa.Table:
    """Events with the given columns; the others are null."""
    arrays = []
    for field in SCHEMA:
        value = columns.get(field.name)
        if value is None:
            arrays.append(pa.nulls(length, field.type))
        elif isinstance(value, str):
            arrays.append(pa.repeat(pa.scalar(value, field.type), length))
        else:
            arrays.append(value)
    return pa.table(arrays, schema=SCHEMA)
