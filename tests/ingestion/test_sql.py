"""PostgreSQL alone: days read again, quarantined rows replayed, errors with the right exit."""

import re
import time
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import shop_databases
from landed_data import Configure, quarantined, rows_of

from ingestion.backfills import backfill
from ingestion.databases.dialect import Column
from ingestion.databases.postgres import Postgres
from ingestion.replay import replay
from ingestion.run import ingest
from khach.environment import Environment
from khach.errors import BusyError, ConfigError

TILLS = """sources:
  tills:
    kind: sql
    area: pos
    url_env: TILLS_URL
    time_zone: Asia/Ho_Chi_Minh
    tables:
      orders:
        from: receipts
        cursor: updated_at
        columns: {order_id: id, full_name: note, ordered_at: sold_at, updated_at: updated_at}
        filter: is_paid
        values: {}
      payments:
        from: select id, amount, local_at from receipts where amount is not null
        columns: {payment_id: id, amount: amount, paid_at: local_at}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address, as its owner, of a database of this module's own."""
    with shop_databases.open_shop("postgres") as shop:
        yield shop.url.replace("clerk:right@", "postgres:@")


@pytest.fixture
def tills(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """An open connection to an empty `receipts`."""
    monkeypatch.setenv("TILLS_URL", server)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop table if exists receipts")
        connection.execute(
            "create table receipts (id bigint primary key, note text, amount numeric(18,4), "
            "sold_at timestamptz, local_at timestamp, is_paid boolean, updated_at timestamptz)"
        )
        yield connection


def insert(tills: psycopg.Connection[Any], number: int, at: str, note: str | None = "n") -> None:
    tills.execute(
        "insert into receipts values (%s, %s, 0.1, %s, '2026-01-01 07:00', true, %s)",
        [number, note, at, at],
    )


def orders(env: Environment) -> list[str]:
    return [row[0] for row in rows_of(env, "tills", "orders", "order_id")]


def test_days_are_read_again_by_the_cursor_and_the_cursor_stays(
    env: Environment, configure: Configure, tills: psycopg.Connection[Any]
) -> None:
    configure(TILLS)
    for number, at in enumerate(("2026-01-31 23:59+07", "2026-02-01 00:00+07",
                                 "2026-02-28 23:59+07", "2026-03-01 00:00+07")):  # fmt: skip
        insert(tills, number, at)
    ingest(env, "tills")
    tills.execute("update receipts set note = 'restated' where id < 2")  # the cursor does not move
    assert len(backfill(env, "tills", date(2026, 2, 1), date(2026, 2, 28))) == 1
    again = rows_of(env, "tills", "orders", "order_id, full_name")
    assert again == [("0", "n"), ("1", "n"), ("1", "restated"), ("2", "n"), ("2", "n"), ("3", "n")]
    assert len(rows_of(env, "tills", "payments", "_row")) == 8  # no cursor: read whole, once
    insert(tills, 4, "2026-03-02 00:00+07")
    ingest(env, "tills")
    assert orders(env)[-1] == "4"
    assert len(orders(env)) == 7
    configure(TILLS.replace("cursor: updated_at", "cursor: id"))
    with pytest.raises(ConfigError, match="the cursor id is bigint, no time"):
        backfill(env, "tills", date(2026, 2, 2), date(2026, 2, 28))
    tills.execute("update receipts set local_at = '2026-01-01 20:00'")  # a local time
    configure(TILLS.replace("cursor: updated_at", "cursor: local_at"))
    assert len(backfill(env, "tills", date(2026, 1, 1), date(2026, 1, 1))) == 1
    assert len(orders(env)) == 12
    assert len(backfill(env, "tills", date(2026, 1, 2), date(2026, 1, 2))) == 1
    assert len(orders(env)) == 12


def test_a_large_table_is_read_over_several_connections_as_of_one_moment(
    env: Environment,
    configure: Configure,
    tills: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mapping = TILLS[: TILLS.index("        filter")]
    configure(mapping)
    fill = (
        "insert into receipts select i, case i %% 3 when 0 then '' when 1 then e'a\\nb,\"c\"' end, "
        "i / 7.0, '2026-01-01 07:00+07', null, true, '2026-01-01 07:00+07' "
        "from generate_series(%s::int, %s::int) as i"
    )
    tills.execute(fill, [1, 3000])
    tills.execute("analyze receipts")
    tills.execute(fill, [3001, 9000])  # pages of which the server's statistics do not know
    whole, found = Postgres._whole, []

    def meanwhile(self: Postgres, base: str, columns: Sequence[Column]) -> str | None:
        self.run("set pg_pages_per_task = 1")
        found.append(whole(self, base, columns))
        tills.execute("delete from receipts where id <= 10")
        tills.execute(fill, [9001, 9500])
        return found[0]

    monkeypatch.setattr(Postgres, "_whole", meanwhile)
    monkeypatch.setattr("ingestion.databases.postgres._LARGE_BYTES", 0)
    ingest(env, "tills")
    assert found[0]
    rows = rows_of(env, "tills", "orders", "order_id, full_name, _row")
    notes = [None, "", 'a\nb,"c"']
    assert sorted((int(i), note) for i, note, _ in rows) == [
        (i, notes[(i % 3 + 1) % 3]) for i in range(1, 9001)
    ]
    assert sorted(row for _, _, row in rows) == list(range(1, 9001))


def test_a_number_that_we_cannot_hold_exactly_is_quarantined(
    env: Environment, configure: Configure, tills: psycopg.Connection[Any]
) -> None:
    configure(
        TILLS.replace("select id, amount, local_at", "select id, amount / 3 as amount, local_at")
    )
    insert(tills, 1, "2026-01-01 07:00+07")
    load = ingest(env, "tills")
    assert load is not None
    assert load.tables["payments"].rows_quarantined == 1
    (refused,) = quarantined(env, "tills", "payments", "payments")
    assert re.search(r"amount: 9\.9+ is not a number with at most 4 decimals", refused["reason"])
    tills.execute("drop table receipts")  # the database is not needed to read the row again
    configure(
        TILLS.replace("payment_id: id, amount: amount", "payment_id: id, amount: \"round("
                      "cast(amount as decimal(38,20)), 4)\"")
    )  # fmt: skip
    assert replay(env, "tills").load is not None
    assert rows_of(env, "tills", "payments", "payment_id, amount, _file, _row") == [
        ("1", Decimal("0.0333"), "payments", 1)
    ]
    assert not quarantined(env, "tills", "payments", "payments")


def test_a_wrong_password_is_exit_2_and_an_unreachable_server_exit_4(
    env: Environment,
    configure: Configure,
    tills: psycopg.Connection[Any],
    server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(TILLS)
    folder = Path(re.sub(".*host=", "", server))
    rules = folder / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all clerk scram-sha-256\n" + before)
    tills.execute("select pg_reload_conf()")
    wrong = server.replace("postgres:@", "clerk:wr0ng@")
    with pytest.raises(psycopg.OperationalError):  # the server reads its rules when it can
        for _ in range(100):
            psycopg.connect(wrong).close()
            time.sleep(0.05)
    try:
        monkeypatch.setenv("TILLS_URL", wrong)
        with pytest.raises(ConfigError, match="TILLS_URL") as refused:
            ingest(env, "tills")
        assert refused.value.exit_code == 2
        assert "wr0ng" not in str(refused.value)
    finally:
        rules.write_text(before)
        tills.execute("select pg_reload_conf()")
    monkeypatch.setenv("TILLS_URL", "postgresql://postgres@127.0.0.1:1/postgres")
    with pytest.raises(BusyError) as unreachable:
        ingest(env, "tills")
    assert unreachable.value.exit_code == 4
    monkeypatch.setenv("TILLS_URL", "ftp://x")
    with pytest.raises(ConfigError, match="no address of a database"):
        ingest(env, "tills")
    monkeypatch.delenv("TILLS_URL")
    with pytest.raises(ConfigError, match="TILLS_URL is not set"):
        ingest(env, "tills")
