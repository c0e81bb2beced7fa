"""A text becomes a typed value that says exactly the same, or none."""

from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion.casts import misfit, typed

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
