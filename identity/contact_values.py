"""Raw contact values to their parsed forms, column by column."""

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("country", pa.string()),
        ("raw_value", pa.string()),
        ("position", pa.int32()),
        ("value", pa.string()),
        ("given_name", pa.string()),
        ("family_name", pa.string()),
        ("is_valid", pa.bool_()),
    ]
)


def parse_contact_values(values: pa.Table) -> pa.Table:
    """Parse distinct values once each.

    `values` has the columns kind (`email`, `phone`, `name`), country (ISO-2, empty for e-mail) and
    raw_value. The answer has a row per value with `position` 1, `is_valid` false and `value` null
    where the text is no such thing, and one more for each further number in one telephone field.
    A name's value is its text with single spaces.
    """
    if not len(values):
        return SCHEMA.empty_table()
    columns = (values.column(name).to_pylist() for name in ("kind", "country", "raw_value"))
    rows = [
        (kind, country, raw, position, *parts, parts[0] is not None)
        for kind, country, raw in zip(*columns, strict=True)
        for position, parts in enumerate(_parsed(kind, country, raw), start=1)
    ]
    arrays = [
        pa.array(c, field.type) for c, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


# Value, given name, family name.
Reading = tuple[str | None, str | None, str | None]


def _parsed(kind: str, country: str, raw: str) -> list[Reading]:
    """Each reading of a text; one at least."""
    # The tables of the world's telephone numbers take a second to load.
    from khach.contacts import parse_email, parse_name, parse_phones

    if kind == "email":
        return [(parse_email(raw), None, None)]
    if kind == "phone":
        found: list[Reading] = [(number, None, None) for number in parse_phones(raw, country)]
        return found or [(None, None, None)]
    name = parse_name(raw, country)
    return [(" ".join(raw.split()) or None, name.given_name, name.family_name)]
