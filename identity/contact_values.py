"""Raw contact values to their parsed forms, column by column."""

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("country", pa.string()),
        ("raw_value", pa.string()),
        ("value", pa.string()),
        ("given_name", pa.string()),
        ("family_name", pa.string()),
        ("is_valid", pa.bool_()),
    ]
)


def parse_contact_values(values: pa.Table) -> pa.Table:
    """Parse distinct values once each.

    `values` has the columns kind (`email`, `phone`, `name`), country (ISO-2, empty for e-mail) and
    raw_value. The answer has one row per row, `is_valid` false and `value` null where the text is
    no such thing. A name's value is its text with single spaces.
    """
    if not len(values):
        return SCHEMA.empty_table()
    # The tables of the world's telephone numbers take a second to load.
    from khach.contacts import parse_email, parse_name, parse_phone

    kinds = values.column("kind").to_pylist()
    countries = values.column("country").to_pylist()
    raws = values.column("raw_value").to_pylist()
    parsed: list[str | None] = []
    given: list[str | None] = []
    family: list[str | None] = []
    for kind, country, raw in zip(kinds, countries, raws, strict=True):
        first = last = None
        if kind == "email":
            value = parse_email(raw)
        elif kind == "phone":
            value = parse_phone(raw, country)
        else:
            name = parse_name(raw, country)
            first, last = name.given_name, name.family_name
            value = " ".join(raw.split()) or None
        parsed.append(value)
        given.append(first)
        family.append(last)
    columns = [kinds, countries, raws, parsed, given, family, [v is not None for v in parsed]]
    arrays = [pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
