"""A text becomes a typed value that says exactly the same, or none."""

from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.casts import misfit, typed
from ingestion.projection import Target, typed_query

TYPES = ("BIGINT", "DECIMAL(18,4)")
NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(places=14, min_value=-(10**6), max_value=10**6).map(lambda d: f"{d:f}"),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.text("+-.0123456789eE_, ", max_size=8),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as found:
        found.execute("select ?", [0])  # the first parameter imports pandas
        yield found


@given(NUMBERS, st.sampled_from(TYPES))
@example("1.5", "BIGINT")
@example("1.0000000000001", "BIGINT")
@example("0.00000000000004", "DECIMAL(18,4)")
@example("15e-1", "BIGINT")
def test_a_number_that_lands_is_the_number_that_was_told(
    connection: duckdb.DuckDBPyConnection, text: str, type_: str
) -> None:
    row = connection.execute(
        f"select {typed('text', type_)}, {misfit('text', type_)} from (select ? as text)", [text]
    ).fetchone()
    assert row is not None
    value, is_refused = row
    if not is_refused:
        assert value is not None
        assert Decimal(value) == Decimal(text.strip())


def projected(
    connection: duckdb.DuckDBPyConnection, value: str, letter: str
) -> tuple[Decimal | int | None, str | None]:
    """A value (SQL) as a column of an entity, and why its row is refused."""
    query = typed_query(
        connection,
        relation=f"(select {value} as v, cast(null as varchar) as _malformed)",
        targets=[Target("v", letter, "v")],
        required=[],
        is_kept="true",
        carried=["_malformed"],
        time_zone="UTC",
    )
    row = connection.execute(f"select v, _problem from ({query})").fetchone()
    assert row is not None
    return row[0], row[1]


@given(NUMBERS, st.sampled_from("ni"))
@example("1.0000000000001", "n")
@example("0.99999999999999", "i")
@example("1e-13", "n")
@example("1.00000000000000000001E+3", "n")
@example("5E1.", "n")
@example("0E ", "n")
def test_no_number_of_a_delivery_is_rounded(
    connection: duckdb.DuckDBPyConnection, text: str, letter: str
) -> None:
    value, problem = projected(connection, f"'{text}'", letter)
    # Signs without digits at the end change nothing for DuckDB; Python does not read them.
    number = text.strip().replace("_", "").rstrip("eE. ")
    assert problem is not None or Decimal(value or 0) == Decimal(number)


@pytest.mark.parametrize(
    ("value", "letter", "lands"),
    [
        ("1.0000000000001::decimal(38,20)", "n", False),
        ("9.99999::decimal(6,5)", "n", False),
        ("12345678901234.5678::decimal(38,20)", "n", True),
        ("7.0::decimal(38,30)", "i", True),
        ("1.5::double", "i", False),
        ("3::double", "i", True),
        ("'1.5e3'", "n", True),
        ("' 12.50000000000000000 '", "n", True),
        *(
            (f"{value}{type_}", letter, lands)
            for letter, types in (("d", ("", "::date")), ("t", ("",)))
            for type_ in types
            for value, lands in (
                ("'0001-01-01'", True),
                ("'9999-12-31'", True),
                ("'10000-01-01'", False),
                ("'5000000-01-01'", False),
                ("'infinity'", False),
            )
        ),
    ],
)
def test_what_is_declared_lands_exactly_or_not_at_all(
    connection: duckdb.DuckDBPyConnection, value: str, letter: str, lands: bool
) -> None:
    assert (projected(connection, value, letter)[1] is None) == lands


@given(st.integers(-(10**13), 10**13), st.integers(0, 9999), st.integers(0, 3))
def test_what_a_column_can_hold_is_not_refused(
    connection: duckdb.DuckDBPyConnection, whole: int, places: int, zeros: int
) -> None:
    for text, type_ in (
        (f"{whole}.{places:04d}{'0' * zeros}", "DECIMAL(18,4)"),
        (f"{whole}.{'0' * zeros}", "BIGINT"),
        (str(whole), "BIGINT"),
    ):
        row = connection.execute(f"select {misfit('text', type_)} from (select ? as text)", [text])
        assert row.fetchone() == (False,), text


def test_a_word_is_refused_and_nothing_is_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    for type_ in (*TYPES, "TIMESTAMP", "BOOLEAN", "DATE"):
        rows = connection.execute(
            f"select {misfit('text', type_)} from (values ('word'), (''), (null)) as t(text)"
        ).fetchall()
        assert rows == [(True,), (True,), (False,)]
