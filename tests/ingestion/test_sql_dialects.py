"""Each dialect on a real database: exact values, refused ones, increments, errors with a place."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import shop_databases
from hypothesis import given, settings
from hypothesis import strategies as st
from landed_data import Configure, quarantined, rows_of
from shop_databases import Shop

from ingestion.backfills import backfill
from ingestion.config import load_sources
from ingestion.databases import postgres
from ingestion.databases.opening import open_database
from ingestion.databases.table import Table
from ingestion.quarantine import read_quarantine
from ingestion.replay import replay
from ingestion.run import check_source, ingest
from khach.environment import Environment
from khach.errors import BusyError, ConfigError, GateError

SOURCES = """sources:
  tills:
    kind: sql
    area: pos
    url_env: TILLS_URL
    time_zone: Asia/Ho_Chi_Minh
    tables:
      payments:
        from: receipts
        cursor: updated_at
        columns:
          payment_id: id
          order_id: note
          amount: amount
          paid_at: sold_at
        filter: is_paid
      customers:
        from: select id, birthday, big, zoned from receipts where id < 900
        columns: {record_id: id, birth_date: birthday, external_id: big, created_at: zoned}
"""
TABLES = {
    "postgres": "id bigint primary key, note text, amount numeric(18,4), sold_at timestamp, "
    "zoned timestamptz, is_paid boolean, birthday date, big numeric(30), photo bytea, "
    "updated_at timestamp",
    "mariadb": "id bigint unsigned primary key, note text, amount decimal(18,4), "
    "sold_at datetime(6), zoned timestamp(6) null, is_paid tinyint(1), birthday date, "
    "big decimal(65,0), photo blob, updated_at datetime",
    "sqlite": "id integer primary key, note text, amount numeric(18,4), sold_at timestamp, "
    "zoned text, is_paid boolean, birthday date, big text, photo blob, updated_at datetime",
}
ZONED = {"sqlite": "'2026-01-01T07:00:00.5+07:00'", "postgres": "'2026-01-01 07:00:00.5+07'",
         "mariadb": "'2026-01-01 00:00:00.5'"}  # fmt: skip
NOTES = ["", None, 'two\nlines, "quoted"', "\\N", "Đỗ Thị Ánh 😀", "\r\n", "NULL", "it's"]


@pytest.fixture(scope="module", params=["postgres", "mariadb", "sqlite"])
def database(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A database of each dialect, of this module's own."""
    with shop_databases.open_shop(request.param) as shop:
        yield shop


@pytest.fixture
def shop(database: Shop, monkeypatch: pytest.MonkeyPatch, configure: Configure) -> Shop:
    """An empty table `receipts`, and a source that reads it."""
    monkeypatch.setenv("TILLS_URL", database.url)
    columns = TABLES[database.dialect]
    database.execute(f"drop table if exists receipts;\ncreate table receipts ({columns})")
    configure(SOURCES)
    return database


def insert(shop: Shop, number: int, at: str = "2026-01-01 07:00:00", **other: str) -> None:
    values = {"id": number, "note": "'n'", "is_paid": "true", "updated_at": f"'{at}'", **other}
    names, fields = ", ".join(values), ", ".join(map(str, values.values()))
    shop.execute(f"insert into receipts ({names}) values ({fields})")


def quoted(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def test_values_arrive_exactly(env: Environment, shop: Shop) -> None:
    zoned = ZONED[shop.dialect]
    rows = [
        f"({n}, {quoted(note)}, {Decimal(n) / 10 + Decimal('0.0001')}, "
        f"'2026-01-01 07:00:00.123456', {zoned}, {('true', 'false', 'null')[n % 3]}, "
        f"'1975-04-30', '123456789012345678901234567890', null, '2026-01-01 07:00:00')"
        for n, note in enumerate(NOTES)
    ]
    shop.execute(f"insert into receipts values {', '.join(rows)}")
    load = ingest(env, "tills")
    assert load is not None
    assert {t: (c.rows_offered, c.rows_landed) for t, c in load.tables.items()} == {
        "payments": (8, 8),
        "customers": (8, 8),
    }
    columns = "payment_id, order_id, amount, paid_at::varchar, _is_kept, _file"
    assert rows_of(env, "tills", "payments", columns) == [
        (str(n), note, Decimal(n) / 10 + Decimal("0.0001"),
         "2026-01-01 00:00:00.123456", n % 3 == 0, "receipts")
        for n, note in enumerate(NOTES)
    ]  # fmt: skip
    found = rows_of(
        env, "tills", "customers", "distinct birth_date::varchar, external_id, created_at::varchar"
    )
    assert found == [("1975-04-30", "123456789012345678901234567890", "2026-01-01 00:00:00.5")]


def test_what_no_type_can_hold_is_quarantined_with_a_reason(env: Environment, shop: Shop) -> None:
    odd: dict[str, list[tuple[dict[str, str], str]]] = {
        "postgres": [
            ({"amount": "'NaN'"}, "amount: a value that DECIMAL(18,4) cannot hold"),
            ({"sold_at": "'infinity'"}, "paid_at: aaaaaaaa is not a timestamp"),
            ({"sold_at": "'0044-03-15 BC'"}, "sold_at: a value that TIMESTAMP cannot hold"),
            ({"sold_at": "'294276-12-31'"}, "sold_at: a value that TIMESTAMP cannot hold"),
        ],
        "mariadb": [
            ({"sold_at": "'0000-00-00'"}, "sold_at: a value that TIMESTAMP cannot hold"),
            ({"sold_at": "'2026-00-00'"}, "sold_at: a value that TIMESTAMP cannot hold"),
        ],
        "sqlite": [
            ({"amount": "'many'"}, "amount: aaaa is not a number with at most 4 decimals"),
            ({"amount": "1.00001"}, "amount: 9.99999 is not a number with at most 4 decimals"),
            ({"sold_at": "'soon'"}, "paid_at: aaaa is not a timestamp"),
            ({"note": "x'ff00'"}, "note: a binary value"),
            ({"is_paid": "'maybe'"}, "is_paid: a value that BOOLEAN cannot hold"),
        ],
    }
    insert(shop, 0)
    for number, (values, _) in enumerate(odd[shop.dialect], start=900):
        insert(shop, number, **values)
    load = ingest(env, "tills")
    assert load is not None
    assert load.tables["payments"].rows_landed == 1
    refused = quarantined(env, "tills", "payments", "receipts")
    assert [row["reason"] for row in refused] == [reason for _, reason in odd[shop.dialect]]


def test_a_refused_row_waits_while_others_are_read(env: Environment, shop: Shop) -> None:
    bad = {"postgres": {"amount": "'NaN'"}, "mariadb": {"sold_at": "'0000-00-00'"},
           "sqlite": {"amount": "'many'"}}[shop.dialect]  # fmt: skip

    def waiting() -> list[str | None]:
        assert ingest(env, "tills")
        rows = read_quarantine(env, "tills")
        return sorted(str(row.bad.about) for row in rows if row.table == "payments")

    insert(shop, 1, **bad)
    insert(shop, 2, at="2026-01-01 08:00:00")
    assert waiting() == ["1"]
    insert(shop, 3, at="2026-01-02 07:00:00")
    assert waiting() == ["1"]
    # Within the overlap of the last cursor it is read again, and waits once all the same.
    insert(shop, 4, at="2026-01-03 07:00:00", **bad)
    assert waiting() == ["1", "4"]
    insert(shop, 5, at="2026-01-03 06:59:00")
    assert waiting() == ["1", "4"]
    # Late rows move no cursor: readings that start from the same one are two all the same.
    insert(shop, 6, at="2026-01-03 06:30:00", **bad)
    assert waiting() == ["1", "4", "6"]
    shop.execute("update receipts set updated_at = '2026-01-02 08:00:00' where id in (4, 6)")
    insert(shop, 7, at="2026-01-03 06:40:00", **bad)
    assert waiting() == ["1", "4", "6", "7"]
    # Put right at the source, and refused anew in another form.
    column = next(iter(bad))
    shop.execute(
        f"update receipts set {column} = null, updated_at = '2026-01-04 07:00:00' where id = 1"
    )
    shop.execute("update receipts set note = 'm', updated_at = '2026-01-04 07:00:00' where id = 4")
    assert waiting() == ["4", "6", "7"]
    landed = {row for (row,) in rows_of(env, "tills", "payments", "payment_id")}
    assert landed == {"1", "2", "3", "5"}
    # What stays refused stays when it is tried again.
    assert [one.kept for one in replay(env, "tills").tables if one.table == "payments"] == [3]
    assert {row.bad.about for row in read_quarantine(env, "tills")} == {"4", "6", "7"}
    # Days read again, of which one range is a part of the other.
    for last in (date(2026, 1, 4), date(2026, 1, 2)):
        assert backfill(env, "tills", date(2026, 1, 2), last)
        waits = [row.bad.about for row in read_quarantine(env, "tills")]
        assert sorted(map(str, waits)) == ["4", "6", "7"]


def test_a_row_of_a_far_year_holds_up_nothing(env: Environment, shop: Shop) -> None:
    def landed() -> set[str] | None:
        load = ingest(env, "tills")
        if load is None:
            return None
        return {key for (key,) in rows_of(env, "tills", "payments", "payment_id")}

    insert(shop, 1)
    insert(shop, 2, at="2062-01-02 07:00:00")
    assert landed() == {"1", "2"}
    assert landed() is None
    today = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
    insert(shop, 3, at=today)
    assert landed() == {"1", "2", "3"}
    insert(shop, 4, at="2063-01-02 07:00:00")
    assert landed() == {"1", "2", "3", "4"}
    assert landed() is None
    # One of tomorrow hides nothing of today either; times are those of the source's zone.
    here = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh"))
    insert(shop, 5, at=f"{here + timedelta(hours=30):%Y-%m-%d %H:%M:%S}")
    assert landed() == {"1", "2", "3", "4", "5"}
    insert(shop, 6, at=f"{here:%Y-%m-%d %H:%M:%S}")
    assert landed() == {"1", "2", "3", "4", "5", "6"}
    assert landed() is None


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
@pytest.mark.parametrize(("column", "value"), [("amount", "'NaN'"), ("sold_at", "'294276-12-31'")])
def test_one_value_that_binary_copy_would_change_is_refused(
    env: Environment, shop: Shop, column: str, value: str
) -> None:
    insert(shop, 1)
    insert(shop, 2, **{column: value})
    load = ingest(env, "tills")
    assert load is not None
    counts = load.tables["payments"]
    assert (counts.rows_landed, counts.rows_quarantined) == (1, 1)


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_large_table_that_is_read_by_pages_lands_whole(
    env: Environment, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_pages: list[str | None] = []
    is_large = postgres.Postgres._whole

    def whole(database: postgres.Postgres, *place: Any) -> str | None:
        by_pages.append(is_large(database, *place))
        return by_pages[-1]

    monkeypatch.setattr(postgres, "_LARGE_BYTES", 16_000_000)
    monkeypatch.setattr(postgres.Postgres, "_whole", whole)
    shop.execute(  # pages are handed out 8 MB at a time
        "insert into receipts select i, repeat(md5(i::text), 30), i / 8.0, '2026-01-01', "
        "'2026-01-01', i % 3 > 0, null, null, null, '2026-01-01' from generate_series(1, 20000) i"
    )
    load = ingest(env, "tills")
    assert by_pages[0]
    assert load is not None
    assert load.tables["payments"].rows_landed == 20_000
    found = (
        "count(*) filter (order_id = repeat(md5(payment_id), 30) and amount * 8 = "
        "payment_id::int and _is_kept = (payment_id::int % 3 > 0)), count(distinct payment_id), "
        "count(distinct _row), min(_row), max(_row)"
    )
    assert rows_of(env, "tills", "payments", found) == [(20_000, 20_000, 20_000, 1, 20_000)]


def test_only_what_is_new_changed_or_committed_late_is_read_again(
    env: Environment, shop: Shop
) -> None:
    def landed() -> str:
        return "".join(row[0] for row in rows_of(env, "tills", "payments", "payment_id"))

    insert(shop, 1, "2026-01-01 07:00:00")
    insert(shop, 2, "2026-01-01 10:00:00")
    assert ingest(env, "tills") is not None
    assert ingest(env, "tills") is None
    insert(shop, 3, "2026-01-01 11:00:00")
    assert ingest(env, "tills") is not None
    assert landed() == "123"
    shop.execute("update receipts set note = 'm', updated_at = '2026-01-02 00:00:00' where id = 1")
    assert ingest(env, "tills") is not None
    assert landed() == "1123"
    insert(shop, 4, "2026-01-01 23:30:00")  # committed after the cursor had moved past it
    assert ingest(env, "tills") is not None
    assert landed() == "111234"
    shop.execute("insert into receipts (id, amount) values (5, 1)")  # without a cursor value
    assert ingest(env, "tills") is not None
    assert set(landed()) == set("12345")
    assert ingest(env, "tills") is None


@pytest.mark.parametrize(
    ("last", "late"),
    [
        ("2024-01-02T10:00:00Z", "2024-01-02T09:30:00Z"),
        ("2024-01-02 10:00:00", "2024-01-02 09:30:00"),
        ("2024-01-02T10:00:00", "2024-01-02 09:30:00"),
        ("9999-99-99 99:99:99", "9999-99-99 99:99:99"),
        ("1704189600", "1704187800"),
        ("1704189600000", "1704187800000"),
    ],
)
def test_times_held_as_texts_have_room_for_late_commits_too(
    env: Environment, shop: Shop, configure: Configure, last: str, late: str
) -> None:
    configure(SOURCES.replace("cursor: updated_at", "cursor: note"))
    insert(shop, 1, note=quoted(last))
    assert ingest(env, "tills") is not None
    insert(shop, 2, note=quoted(late))
    assert ingest(env, "tills") is not None
    assert {row[0] for row in rows_of(env, "tills", "payments", "payment_id")} == {"1", "2"}
    assert ingest(env, "tills") is None


def test_a_wrong_setting_has_its_place_and_says_what_there_is(
    env: Environment, shop: Shop, configure: Configure
) -> None:
    insert(shop, 1)
    (config,) = load_sources(env)
    assert [item.found for item in check_source(env, config)] == ["1 rows", "1 rows"]
    for right, wrong, line, words in (
        ("order_id: note", "order_id: nope", 13, "has no column 'nope'"),
        ("cursor: updated_at", "cursor: nope", 10, "its columns are: id, note"),
        ("from: receipts", "from: receipt", 9, "there are: .*receipts"),
        ("select id, birthday", "select nope, birthday", 18, "there are: .*receipts"),
        ("order_id: note", "order_id: photo", 13, "column photo of receipts is binary"),
    ):
        configure(SOURCES.replace(right, wrong))
        (config,) = load_sources(env)
        (mistake,) = [item.mistake for item in check_source(env, config) if item.mistake]
        assert (mistake.exit_code, mistake.line) == (2, line)
        assert re.search(words, str(mistake))


def test_a_wrong_address_is_exit_2_and_an_unreachable_server_exit_4(
    env: Environment, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "postgres": "postgresql://clerk:right@/no_such_database?" + shop.url.partition("?")[2],
        "mariadb": shop.url.replace("r%3Bght", "wr0ng"),
        "sqlite": shop.url + "x",
    }
    monkeypatch.setenv("TILLS_URL", wrong[shop.dialect])
    with pytest.raises(ConfigError, match="TILLS_URL") as refused:
        ingest(env, "tills")
    assert "wr0ng" not in f"{refused.value} {refused.value.__cause__}"
    scheme = shop.url.partition(":")[0]
    if scheme != "sqlite":
        monkeypatch.setenv("TILLS_URL", f"{scheme}://clerk:wr0ng@127.0.0.1:1/shop")
        with pytest.raises(BusyError):
            ingest(env, "tills")


def test_deleted_rows_are_noticed_by_comparing_keys(
    env: Environment, shop: Shop, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = {"now": datetime(2026, 1, 1, 12, tzinfo=UTC)}

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return day["now"].astimezone(tz)

    monkeypatch.setattr("ingestion.sources.sql.datetime", Clock)
    deletions = "        deletions: {compare_every_days: 7}\n"
    text = SOURCES[: SOURCES.index("      customers:")].replace("payments:", "customers__crm:")
    text = text.replace("payment_id", "record_id").replace("order_id", "full_name")
    text = text.replace("amount: amount", "updated_at: updated_at").replace("paid_at", "created_at")
    configure(text + deletions)
    for number in range(1, 4):
        insert(shop, number)
    assert ingest(env, "tills") is not None
    shop.execute("delete from receipts where id = 2")
    window = ingest(env, "tills")  # no compare yet
    assert window is not None
    assert window.tables["customers__crm"].rows_landed == 2
    day["now"] += timedelta(days=7)
    load = ingest(env, "tills")
    assert load is not None
    counts = load.tables["customers__crm"]
    assert counts.rows_offered == counts.rows_landed == 1

    def dead() -> list[tuple]:
        columns = "record_id, full_name, created_at, updated_at > '2026-01-02', _is_kept"
        return rows_of(env, "tills", "customers__crm", f"{columns}, _is_deleted")

    assert [row for row in dead() if row[-1]] == [("2", None, None, True, True, True)]
    assert ingest(env, "tills") is None
    insert(shop, 2)  # the key comes back, and goes again
    assert ingest(env, "tills") is not None
    shop.execute("delete from receipts where id = 2")
    day["now"] += timedelta(days=7)
    assert ingest(env, "tills") is not None
    assert len([row for row in dead() if row[-1]]) == 2
    day["now"] += timedelta(days=7)
    load = ingest(env, "tills")  # nothing is gone: only that it was compared is remembered
    assert load is not None
    assert load.tables["customers__crm"].rows_offered == 0
    shop.execute("delete from receipts")
    day["now"] += timedelta(days=7)
    monkeypatch.setattr("ingestion.databases.deletions._FEW", 0)
    with pytest.raises(GateError, match="2 of 2 keys of customers__crm are gone from receipts;"):
        ingest(env, "tills")


def _at(year: int) -> datetime:
    return datetime.fromisoformat(f"{year}-01-01")


@settings(max_examples=5)
@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            st.decimals(min_value=-(10**14) + 1, max_value=10**14 - 1, places=4),
            st.datetimes(_at(1000), _at(9999)),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_any_value_comes_back(
    env: Environment, shop: Shop, tmp_path: Path, rows: list[tuple[str, Decimal, datetime]]
) -> None:
    if shop.dialect == "sqlite":  # its decimals are doubles: 15 digits are exact
        rows = [(note, amount % 10**10, at) for note, amount, at in rows]
    values = ", ".join(
        f"({n}, {quoted(note)}, {amount}, '{at.isoformat(' ')}')"
        for n, (note, amount, at) in enumerate(rows)
    )
    into = "insert into receipts (id, note, amount, sold_at) values"
    shop.execute(f"delete from receipts;\n{into} {values}")
    (config,) = load_sources(env)
    with open_database(config, "TILLS_URL", tmp_path) as database:
        table = Table(database, config, "payments", config.tables["payments"])
        found = table.read(["id", "note", "amount", "sold_at"])
        assert found.offered == {"receipts": len(rows)}
        sold_at = "cast(sold_at as timestamp)"
        landed = database.duck.execute(
            f"select note, cast(amount as decimal(18,4)), {sold_at}, _malformed from "
            f"{found.relation(['receipts'], None)} order by cast(id as bigint)"
        ).fetchall()
    assert landed == [(*row, None) for row in rows]
