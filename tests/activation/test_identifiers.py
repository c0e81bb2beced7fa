"""The form in which identifiers are compared."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from activation.identifiers import normal_sql

BLANKS = st.text(st.sampled_from(" \u00a0\u3000\t\n"), max_size=3)


@given(BLANKS, st.text(), BLANKS)
def test_what_is_spared_changes_nothing(before: str, value: str, after: str) -> None:
    given_value = f"{before}{value}{after}".replace("\0", "")
    for kind, plain in (("email", "lower(trim(given))"), ("phone", "trim(given)")):
        query = f"select {normal_sql('given', kind)}, {plain} from (select ? as given)"
        found, wanted = duckdb.execute(query, [given_value]).fetchall()[0]
        assert found == wanted
