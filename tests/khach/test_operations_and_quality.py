"""Operations tables for readers, and the account of every row."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from khach.environment import Environment
from khach.operations import _TABLES, publish_operations
from khach.overview import overview
from khach.quality import TableAccount, accounts, record_quality
from khach.state import open_state
from tests.khach.shop import RUN, open_shop
from tests.khach.warehouse import read

COUNT = st.integers(0, 10**9)


def test_every_operations_table_exists_before_its_first_row(env: Environment) -> None:
    publish_operations(env)
    tables = {row[0] for row in read(env.operations, "select table_name from duckdb_tables()")}
    assert tables == set(_TABLES)
    assert read(env.operations, "select count(*) from messages") == [(0,)]


def test_what_readers_open_is_in_the_format_that_an_older_duckdb_reads(env: Environment) -> None:
    publish_operations(env)
    format_of = "select tags['storage_version'] from duckdb_databases() where not internal"
    assert read(env.operations, format_of) == [("v1.0.0+",)]
    assert read(env.state, format_of) == [("v1.5.0+",)]


def test_what_selects_failing_keys_never_leaves_state(env: Environment) -> None:
    open_shop(env)
    columns = read(env.operations, "select column_name from duckdb_columns() where not internal")
    assert ("failing_sql",) not in columns
    assert ("content",) not in columns
    assert read(env.operations, "select count(*) from check_results") == [(2,)]


def test_a_reader_of_the_old_operations_keeps_reading_while_they_are_replaced(
    env: Environment,
) -> None:
    publish_operations(env)
    with duckdb.connect(str(env.operations), read_only=True) as reader:
        open_shop(env)
        assert reader.execute("select count(*) from runs").fetchall() == [(0,)]
    assert read(env.operations, "select count(*) from runs where run_id = '" + RUN + "'") == [(2,)]
    assert not list(env.published.glob(".operations*"))


def test_rows_are_accounted_for_per_source_and_table(env: Environment) -> None:
    open_shop(env)
    found = {row["source"]: row for row in overview(env)["rows"]}
    assert found["tills"]["is_balanced"] is True
    assert found["tills"]["rows_quarantined"] == 3
    assert found["web_shop"]["is_balanced"] is False  # one row is in no place
    assert found["web_shop"]["rows_offered"] == 200  # the rejected load is not counted


def test_a_load_keeps_the_run_that_landed_it_and_gets_the_newest_figures(env: Environment) -> None:
    open_shop(env)
    with duckdb.connect(str(env.warehouse)) as connection:
        connection.execute(
            "update intermediate.row_accounting set rows_in_marts = 80, rows_duplicate = 16 "
            "where source = 'tills'"
        )
    record_quality(env, "r-later")
    with open_state(env) as state:
        rows = state.execute(
            "select run_id, rows_in_marts, rows_duplicate from data_quality where source = 'tills'"
        ).fetchall()
        assert rows == [(RUN, 80, 16)]
        assert [account.is_balanced for account in accounts(state)] == [True, False]


def test_a_table_that_a_load_brought_no_row_of_is_counted_as_empty(env: Environment) -> None:
    open_shop(env)
    with open_state(env) as state:
        state.execute("insert into load_tables values ('tills', 'l1', 'stores', 2, 0, 2)")
    record_quality(env, RUN)
    with open_state(env) as state:
        stores = next(a for a in accounts(state) if a.table_name == "stores")
    assert stores.is_balanced is True
    assert stores.rows_in_marts == 0


def test_before_dbt_has_counted_the_account_is_open_not_wrong(env: Environment) -> None:
    open_shop(env)
    env.warehouse.unlink()
    record_quality(env, RUN)
    with open_state(env) as state:
        assert [account.is_balanced for account in accounts(state)] == [None, None]


@given(st.tuples(COUNT, COUNT, COUNT), COUNT, st.integers(-3, 3), st.integers(-3, 3))
def test_an_account_balances_exactly_when_no_row_is_lost_or_invented(
    places: tuple[int, int, int], quarantined: int, lost: int, unseen: int
) -> None:
    landed = sum(places) + lost
    offered = landed + quarantined + unseen
    account = TableAccount("tills", "receipts", offered, landed, quarantined, *places)
    assert account.is_balanced is (lost == 0 and unseen == 0)
