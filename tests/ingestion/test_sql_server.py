"""SQL Server: the SQL that is sent, over a driver that records it. No real server is met here."""

import sys
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from landed_data import Configure, quarantined, rows_of

from ingestion.databases.sqlserver import column, connection_string
from ingestion.run import ingest
from khach.environment import Environment
from khach.errors import BusyError, ConfigError

SOURCES = """sources:
  tills:
    kind: sql
    area: pos
    url_env: TILLS_URL
    tables:
      payments:
        from: dbo.payments
        cursor: changed_at
        columns: {payment_id: id, amount: amount, paid_at: changed_at}
"""
URL = "mssql://clerk:p%7Dw@db.example:1444/shop?TrustServerCertificate=yes"
DESCRIBED = {"name": ["id", "amount", "changed_at"],
             "system_type_name": ["bigint", "decimal(18,4)", "datetimeoffset(7)"]}  # fmt: skip
STAMP = "2026-01-01 00:00:00.1234567+00"


class Driver:
    """Answers queries by their beginning; remembers all of them."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.connected = ""

    def connect(self, text: str, *, autocommit: bool) -> Any:
        assert not autocommit
        self.connected = text
        return SimpleNamespace(cursor=lambda: Cursor(self), close=lambda: None)

    def answer(self, sql: str) -> dict[str, list]:
        if "dm_exec_describe_first_result_set" in sql:
            return DESCRIBED
        if "is_newer" in sql:
            return {"newest": [STAMP], "is_newer": [1]}
        if "max(t.[changed_at])" in sql:
            return {"v": [STAMP]}
        if "count(*)" in sql:
            return {"n": [3]}
        return {"id": ["1", "2", "3"], "amount": ["0.1000", "-99999999999999.9999", "x"],
                "changed_at": [STAMP, STAMP, None]}  # fmt: skip


class Cursor:
    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def execute(self, sql: str) -> None:
        self.driver.sent.append(sql)

    def arrow_reader(self, batch_size: int) -> pa.RecordBatchReader:
        return pa.table(self.driver.answer(self.driver.sent[-1])).to_reader(batch_size)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, configure: Configure) -> Driver:
    made = Driver()
    monkeypatch.setitem(sys.modules, "mssql_python", made)
    monkeypatch.setenv("TILLS_URL", URL)
    configure(SOURCES)
    return made


def test_rows_are_read_as_text_in_a_snapshot_and_land_typed(
    env: Environment, driver: Driver
) -> None:
    load = ingest(env, "tills")
    assert load is not None
    counts = load.tables["payments"]
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (3, 2, 1)
    rows = rows_of(env, "tills", "payments", "payment_id, amount::varchar, paid_at::varchar")
    assert rows == [
        ("1", "0.1000", "2026-01-01 00:00:00.123456"),
        ("2", "-99999999999999.9999", "2026-01-01 00:00:00.123456"),
    ]
    (refused,) = quarantined(env, "tills", "payments", "dbo.payments")
    assert refused["reason"] == "amount: a value that DECIMAL(18,4) cannot hold"
    assert driver.sent[0] == "set transaction isolation level snapshot"
    assert driver.sent[-1] == (
        "select convert(nvarchar(20), t.[id]) as [id], convert(nvarchar(50), t.[amount]) as "
        "[amount], convert(nvarchar(30), convert(datetime2, switchoffset(t.[changed_at], "
        "'+00:00')), 121) + N'+00' as [changed_at] from [dbo].[payments] as t where 1 = 1"
    )
    ingest(env, "tills")
    assert (
        "t.[changed_at] > convert(datetimeoffset, '2026-01-01 00:00:00.1234567+00:00')"
        in (driver.sent[-1])
    )
    assert driver.connected == (
        "Server=db.example,1444;Database={shop};UID={clerk};PWD={p}}w};Encrypt=yes;"
        "TrustServerCertificate=yes"
    )


def test_what_the_server_says_becomes_our_errors(
    env: Environment, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words, error in (
        ("Login failed for user 'clerk'", ConfigError),
        ("Snapshot isolation transaction failed accessing database", ConfigError),
        ("Invalid object name 'dbo.payments'", ConfigError),
        ("Communication link failure", BusyError),
    ):

        def execute(self: Cursor, sql: str, words: str = words) -> None:
            if not sql.startswith("set ") or "object" not in words:
                raise RuntimeError(words)

        monkeypatch.setattr(Cursor, "execute", execute)
        with pytest.raises(error) as caught:
            ingest(env, "tills")
        assert "clerk" not in str(caught.value)


def test_without_the_driver_the_fix_is_said(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(SOURCES)
    monkeypatch.setenv("TILLS_URL", URL)
    monkeypatch.setitem(sys.modules, "mssql_python", None)
    with pytest.raises(ConfigError, match=r"not installed.*\n.*uv pip install mssql-python"):
        ingest(env, "tills")


def test_binary_columns_and_plain_addresses() -> None:
    assert column("[p]", "p", "varbinary(max)").problem == "is binary"
    assert column("[p]", "p", "nvarchar(50)").type_ == "VARCHAR"
    assert connection_string(urlsplit("mssql://a@h/d")).startswith("Server=h,1433;Database={d};")
