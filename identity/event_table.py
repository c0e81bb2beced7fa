"""The columns of the identity ledger that a proposal or a decision fills."""

import pyarrow as pa

from identity.graph import KEY

# Rows that DuckDB compresses at once: what comes in parts of this size it need not put together.
PART = 122_880

SCHEMA = pa.schema(
    [
        ("event_number", pa.int64()),
        ("event", pa.string()),
        ("customer_number", pa.int64()),
        ("other_customer_number", pa.int64()),
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
        if value is None or isinstance(value, str):
            value = _repeated(pa.scalar(value, field.type), length)
        arrays.append(value)
    return pa.table(arrays, schema=SCHEMA)


def _repeated(value: pa.Scalar, length: int) -> pa.ChunkedArray:
    """The value so many times: one part over and over, for millions of rows take no memory so."""
    part = pa.repeat(value, min(length, PART))
    whole, rest = divmod(length, PART)
    return pa.chunked_array([*[part] * whole, part.slice(0, rest)], value.type)
