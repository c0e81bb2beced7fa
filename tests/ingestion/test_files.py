"""Files of every format: what is good lands exactly, what is not is quarantined with its bytes."""

import base64
import gzip
import json
import os
import random
import subprocess
import sys
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, quarantined, rows_of

from ingestion.config import load_sources
from ingestion.delivered import LocalFile
from ingestion.entities import entity_table
from ingestion.readers import load_excel
from ingestion.run import check_source, ingest, pending_loads
from ingestion.sources import files
from ingestion.spec import FetchContext, Seen
from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.progress import Silent

HEADER = "id,order_id,amount,paid_at\n"
STORES = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      stores:
        from: "stores*"
        filter: size > 0
        deleted_when: gone = 'true'
        columns:
          store_id: id
          store_name: name || cast(size as integer)
          updated_at: changed
"""
LANDED = "payment_id, amount, paid_at, _is_kept, _file, _row"


def test_good_rows_land_exactly_and_bad_ones_are_quarantined_with_their_bytes(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    bad = {
        3: (b'2,o,12.5.1,2026-01-01 10:00:00\n', "amount: 99.9.9 is not a number"),
        4: (b'3,o\n', "2 fields instead of 4"),
        5: (b'"4,o,1,2026-01-01 10:00:00\n', "quotes"),
        6: (b'5,o\xff,1,2026-01-01 10:00:00\n', "invalid UTF-8"),
        7: (b'6,o,1,soon\n', "paid_at: aaaa is not a timestamp"),
        8: (b',o,1,2026-01-01 10:00:00\n', "payment_id is missing"),
        9: (b'8,o,1.00001,2026-01-01 10:00:00\n', "4 decimals"),
        10: (b'"  ",o,1,2026-01-01 10:00:00\n', "payment_id is missing"),
    }  # fmt: skip
    good = b'1,"a ""quoted""\nline",99999999999999.9999,2026-01-01 06:59:59\n0,,-1,\n'
    (folder / "payments-1.csv").write_bytes(
        HEADER.encode() + good + b"".join(original for original, _ in bad.values())
    )
    load = ingest(env, "shop")
    assert load is not None
    counts = load.tables["payments"]
    assert (counts.rows_offered, counts.rows_landed, counts.rows_quarantined) == (10, 2, 8)
    assert rows_of(env, "shop", "payments", LANDED) == [
        ("0", Decimal(-1), None, False, "payments-1.csv", 2),
        # 06:59:59 in Ho Chi Minh City is the evening before in UTC.
        ("1", Decimal("99999999999999.9999"), datetime(2025, 12, 31, 23, 59, 59), True,  # noqa: DTZ001
         "payments-1.csv", 1),
    ]  # fmt: skip
    refused = {row["line"]: row for row in quarantined(env, "shop", "payments", "payments-1.csv")}
    assert refused.keys() == bad.keys()
    for line, (original, reason) in bad.items():
        assert reason in refused[line]["reason"]
        assert base64.b64decode(refused[line]["original"]).rstrip(b"\n") == original.rstrip(b"\n")


def test_a_row_that_says_deleted_lands_as_a_tombstone(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(STORES)
    rows = [
        "1,A,9,2026-01-01 10:00:00,",
        "2,B,9,2026-01-02 10:00:00,true",
        "3,C,,2026-01-02 10:00:00,true",  # no filter and no bad value of it matters any more
        "4,D,x,2026-01-02 10:00:00,true",
        "5,E,9,,true",  # when?
        "6,F,x,2026-01-02 10:00:00,false",
    ]
    header = "id,name,size,changed,gone\n"
    (folder / "stores-1.csv").write_text(header + "\n".join(rows) + "\n")
    load = ingest(env, "shop")
    assert load is not None
    assert (load.tables["stores"].rows_landed, load.tables["stores"].rows_quarantined) == (4, 2)
    moment = datetime.fromisoformat("2026-01-02 10:00:00")
    columns = "store_id, store_name, updated_at, _is_kept, _is_deleted"
    assert rows_of(env, "shop", "stores", columns)[1:] == [
        (key, None, moment, True, True) for key in "234"
    ]
    refused = quarantined(env, "shop", "stores", "stores-1.csv")
    assert {row["line"]: row["reason"] for row in refused} == {
        5: "updated_at is missing: when was this deleted?",
        6: "store_name: the expression fails on a value",
    }


def test_a_file_that_was_loaded_is_not_offered_again_but_changed_content_is(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    file = folder / "payments-1.csv"
    file.write_text(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    assert ingest(env, "shop") is not None
    assert ingest(env, "shop") is None
    os.utime(file, (1, 1))
    assert ingest(env, "shop") is None  # the same bytes under another date
    file.write_text(HEADER + "1,o,2,2026-01-01 10:00:00\n")
    assert ingest(env, "shop") is not None
    file.write_text(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    assert ingest(env, "shop") is not None  # what it once was is not what it was last
    assert ingest(env, "shop") is None
    assert [row[1] for row in rows_of(env, "shop", "payments", LANDED)] == [1, 1, 2]
    assert len(pending_loads(env)) == 3


def test_nothing_new_is_found_out_without_dlt(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    ingest(env, "shop")
    code = (
        "import sys; from khach.environment import load_environment; "
        "from ingestion.run import ingest; env = load_environment(); "
        "assert ingest(env, 'shop') is None; assert 'dlt' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=env.project)


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "ndjson", "ndjson.gz", "parquet", "xlsx"])
def test_every_format_yields_the_same_rows(
    env: Environment, configure: Configure, folder: Path, suffix: str
) -> None:
    configure(PAYMENTS)
    _write(folder / f"payments.{suffix}", suffix)
    load = ingest(env, "shop")
    assert load is not None
    assert load.tables["payments"].rows_quarantined == 0
    rows = rows_of(env, "shop", "payments", "payment_id, order_id, amount, paid_at, _row")
    assert rows == [
        ("1", "ô-1", Decimal("2.5"), datetime(2026, 1, 1, 3, 0), 1),  # noqa: DTZ001
        ("2", None, Decimal(7), None, 2),
    ]


def _write(path: Path, suffix: str) -> None:
    rows = [
        {"id": 1, "order_id": "ô-1", "amount": 2.5, "paid_at": "2026-01-01 10:00:00"},
        {"id": 2, "order_id": None, "amount": 7, "paid_at": None},
    ]
    text = {
        "csv": HEADER + "".join(",".join(str(v or "") for v in r.values()) + "\n" for r in rows),
        "ndjson": "".join(json.dumps(row) + "\n" for row in rows),
    }.get(suffix.removesuffix(".gz"))
    if text is not None:
        data = text.encode()
        path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
        return
    with duckdb.connect() as connection:
        load_excel(connection)
        header = ", header true" if suffix == "xlsx" else ""
        connection.execute(
            "copy (select 1 as id, 'ô-1' as order_id, 2.5 as amount, timestamp "
            "'2026-01-01 10:00:00' as paid_at union all select 2, null, 7, null) "
            f"to '{path}' (format {suffix}{header})"
        )


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_a_missing_column_is_named_with_the_columns_that_exist(
    env: Environment, configure: Configure, folder: Path, suffix: str
) -> None:
    configure(PAYMENTS.replace("amount: amount", "amount: amuont"))
    _write(folder / f"payments.{suffix}", suffix)
    with pytest.raises(ConfigError, match="did you mean amount") as caught:
        ingest(env, "shop")
    assert f"payments.{suffix}" in caught.value.message
    assert "id, " in str(caught.value.fix)
    assert caught.value.line == 11


def test_an_absent_folder_or_file_is_a_configuration_error(
    env: Environment, configure: Configure
) -> None:
    configure(PAYMENTS.replace('"payments*"', "payments.csv"))
    with pytest.raises(ConfigError, match=r"payments\.csv does not exist"):
        ingest(env, "shop")
    configure(PAYMENTS.replace("folder: FOLDER", "folder: FOLDER/nowhere"))
    with pytest.raises(ConfigError, match="does not exist") as caught:
        ingest(env, "shop")
    assert caught.value.line == 5


def test_a_cut_off_gzip_file_stops_the_source_and_lands_nothing(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    whole = gzip.compress((HEADER + "1,o,1,2026-01-01 10:00:00\n" * 1000).encode())
    (folder / "payments.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KhachError, match=r"payments\.csv\.gz is not a complete gzip file"):
        ingest(env, "shop")
    assert pending_loads(env) == []


def test_every_declared_table_exists_after_the_first_load_with_nothing_delivered(
    env: Environment, configure: Configure
) -> None:
    configure(PAYMENTS)
    load = ingest(env, "shop")
    assert load is not None
    assert rows_of(env, "shop", "payments", "payment_id, amount") == []
    assert ingest(env, "shop") is None


def test_sources_check_tells_files_and_rows_and_an_empty_pattern(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (config,) = load_sources(env)
    assert check_source(env, config)[0].problem == "no file matches the pattern"
    (folder / "payments-1.csv").write_text(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    assert check_source(env, config)[0].found == "1 files, newest 1 rows"


@pytest.mark.parametrize("address", ["file://FOLDER", "memory://drop/in"])
def test_a_delivery_by_url_is_fetched_once(
    env: Environment, configure: Configure, folder: Path, address: str
) -> None:
    configure(PAYMENTS.replace("folder: FOLDER", f"folder: {address}"))
    with fsspec.open(f"{address.replace('FOLDER', str(folder))}/payments-1.csv", "w") as out:
        out.write(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    assert ingest(env, "shop") is not None
    assert ingest(env, "shop") is None
    assert rows_of(env, "shop", "payments", "payment_id, _file") == [("1", "payments-1.csv")]


def test_any_order_of_deliveries_and_repetitions_ends_in_the_same_rows(
    env: Environment, configure: Configure, folder: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    draw = random.Random(seed)
    configure(PAYMENTS)
    contents = {f"payments-{n}.csv": f"{n},o,{n},\n{n + 100},o,{n},\n" for n in range(5)}
    for name in draw.choices(list(contents), k=6) + draw.sample(list(contents), k=5):
        (folder / name).write_text(HEADER + contents[name])
        if draw.random() < 0.5:
            ingest(env, "shop")
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id, _file, _row") == sorted(
        (str(n + 100 * (row - 1)), f"payments-{n}.csv", row) for n in range(5) for row in (1, 2)
    )


FIELD = st.text(alphabet='ab1,"\n\r é', max_size=4)
RAW = st.lists(st.one_of(st.binary(max_size=12), FIELD.map(str.encode)), max_size=8)


@given(raw=RAW)
def test_offered_is_landed_plus_quarantined_for_any_bytes(
    env: Environment, configure: Configure, tmp_path: Path, raw: list[bytes]
) -> None:
    configure(PAYMENTS)
    (config,) = load_sources(env)
    staging = tmp_path / "staging"
    staging.mkdir(exist_ok=True)
    lines = [b"%d,o,1,2026-01-01 10:00:00" % n for n in range(3)]
    body = b"\n".join([lines[0], *raw, lines[1], lines[2]])
    delivered = tmp_path / "payments.csv"
    delivered.write_bytes(HEADER.encode() + body)
    landed, reading = _land(env, config, staging, delivered)
    refused = landed.refused.get("payments.csv", [])
    assert reading.offered["payments.csv"] == landed.landed["payments.csv"] + len(refused)
    assert landed.landed["payments.csv"] >= 1  # the first line is good, whatever follows it
    assert all(row.original in HEADER.encode() + body for row in refused)


def _land(env: Environment, config: Any, staging: Path, path: Path) -> tuple[Any, Any]:
    context = FetchContext(env, config, Seen(), staging, Silent())
    new = [LocalFile(path.name, path, "x:y")]
    target = staging / "payments.parquet"
    mapping = config.tables["payments"]
    landed, reading, _ = files._land_entity(context, "payments", mapping, new, target)
    assert entity_table("payments").columns.keys() == set(
        duckdb.sql(f"select * from '{target}' limit 0").columns
    )
    return landed, reading


@pytest.mark.parametrize(
    "content",
    [
        b'1,"a\rb",1,2026-01-01\n2,o,1,2026-01-01\n',
        b'1,"a\r\nb",1,2026-01-01\n2,o,1,2026-01-01\n',
        # A field longer than Python's csv module takes by itself, beside a line to be cleaned away.
        b"1," + b"o" * 200_000 + b",1,\n2,o,1,\n\x01,o,1,\n",
    ],
    ids=["quoted CR", "quoted CRLF among LF", "long field"],
)
def test_what_a_csv_file_quotes_and_how_long_it_is_loses_no_row(
    env: Environment, configure: Configure, folder: Path, content: bytes
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_bytes(HEADER.encode() + content)
    code = (  # a process of its own: the longest field is a setting of the process
        "from khach.environment import load_environment\n"
        "from ingestion.run import ingest\n"
        "ingest(load_environment(), 'shop')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=env.project)
    [(first, order), (second, _)] = rows_of(env, "shop", "payments", "payment_id, order_id")
    assert (first, second) == ("1", "2")
    assert order.encode() == content.split(b",")[1].strip(b'"')


def test_columns_of_our_own_names_are_no_obstacle_in_a_csv_file(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    content = HEADER.strip() + ",_Row,_file,_malformed,_original\n1,o,1,,x,y,secret,z\n"
    (folder / "payments-1.csv").write_text(content)
    ingest(env, "shop")
    rows = rows_of(env, "shop", "payments", "payment_id, _file, _row")
    assert rows == [("1", "payments-1.csv", 1)]


def test_a_gzip_file_in_capitals_is_one(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS.replace("payments*", "PAYMENTS*"))
    (folder / "PAYMENTS.CSV.GZ").write_bytes(gzip.compress(f"{HEADER}1,o,1,\n2,o,1,\n".encode()))
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id") == [("1",), ("2",)]


def test_a_year_of_two_digits_is_not_one_of_the_first_century(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    times = ["05/03/24", "24-03-05 10:00:00", "0001-01-02 00:00:00", "2024-03-05"]
    lines = "".join(f"{number},o,1,{time}\n" for number, time in enumerate(times))
    (folder / "payments-1.csv").write_text(HEADER + lines)
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id") == [("2",), ("3",)]
    refused = quarantined(env, "shop", "payments", "payments-1.csv")
    assert [row["reason"] for row in refused] == [
        "paid_at: 99/99/99 is not a timestamp",
        "paid_at: 99-99-99 99:99:99 is not a timestamp",
    ]


def test_a_workbooks_times_below_a_plain_date_and_its_last_digits_are_what_was_meant(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    plain = folder / "plain.xlsx"
    with duckdb.connect() as connection:
        load_excel(connection)
        connection.execute(
            "copy (select unnest([1, 2]) as id, 'o' as order_id, cast(7.5 as double) as amount, "
            "unnest([date '2024-03-05', date '2024-03-06']) as paid_at) "
            f"to '{plain}' (format xlsx, header true)"
        )
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(folder / "payments.xlsx", "w") as new:
        for name in old.namelist():
            content = old.read(name).replace(b">45357.0<", b">45357.75<")
            new.writestr(name, content.replace(b">7.5<", b">59.969999999999999<"))
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id, amount, paid_at") == [
        ("1", Decimal("59.97"), datetime(2024, 3, 4, 17)),  # noqa: DTZ001
        ("2", Decimal("59.97"), datetime(2024, 3, 6, 11)),  # noqa: DTZ001
    ]


def test_keys_that_differ_only_in_capitals_are_one_column(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    rows = [
        {"id": 1, "order_id": "a", "amount": 1},
        {"ID": 2, "Order_Id": "b", "amount": 1},
        {"id": 3, "order_id": "c", "ORDER_ID": "d", "Amount": 1.5},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "payments.ndjson").write_text(lines + "no JSON\n")
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id, order_id, amount") == [
        ("1", "a", Decimal(1)),
        ("2", "b", Decimal(1)),
        ("3", "c", Decimal("1.5")),
    ]
    assert len(quarantined(env, "shop", "payments", "payments.ndjson")) == 1


def test_an_expression_that_fails_on_a_value_refuses_that_row_alone(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(
        STORES.split("        filter:", maxsplit=1)[0]
        + """        columns:
          store_id: id
          store_name: "json_extract_string(address, '$.city')"
          province: "upper(json_extract_string(address, '$.city'))"
          updated_at: "date '1899-12-30' + cast(day as integer)"
"""
    )
    rows = ['1,"{""city"":""Hue""}",45357', "2,N/A,45357", "3,,45357", '4,"{}",2147483647']
    (folder / "stores-1.csv").write_text("id,address,day\n" + "\n".join(rows) + "\n")
    load = ingest(env, "shop")
    assert load is not None
    assert load.tables["stores"].rows_quarantined == 2
    assert rows_of(env, "shop", "stores", "store_id, store_name, province, updated_at") == [
        ("1", "Hue", "HUE", datetime(2024, 3, 6)),  # noqa: DTZ001
        ("3", None, None, datetime(2024, 3, 6)),  # noqa: DTZ001
    ]


@pytest.mark.parametrize("rows", [1, 2])
def test_a_file_without_a_header_is_told_without_a_word_of_its_first_row(
    env: Environment, configure: Configure, folder: Path, rows: int
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    (folder / "payments-2.csv").write_text(
        "1,Lan Nguyen,lan@example.vn,2026-01-01 10:00:00\n" * rows
    )
    with pytest.raises(ConfigError, match="none of the columns that payments reads") as refused:
        ingest(env, "shop")
    assert "Lan" not in str(refused.value)
    (folder / "payments-2.csv").write_text("id,order_id\r1,o\r")
    with pytest.raises(KhachError, match="line 1: no record"):
        ingest(env, "shop")
    twice = "Lan,Lan,1,2026-01-01 10:00:00\n"
    (folder / "payments-2.csv").write_text(twice * rows)
    with pytest.raises(
        KhachError, match="line 1: column 2 of 4 has the name of column 1"
    ) as refused:
        ingest(env, "shop")
    assert "Lan" not in str(refused.value)


def test_times_with_an_offset_land_however_they_are_spelt(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    spelt = ["10:00:00 +0700", "10:00:00 +07:00", "10:00+07", "10:00 +07:00", "03:00:00Z"]
    rows = "".join(f"{n},o,1,2026-01-02 {text}\n" for n, text in enumerate(spelt))
    (folder / "payments-1.csv").write_text(HEADER + rows + "9,o,1,2026-01-02 10:00:00 +x\n")
    load = ingest(env, "shop")
    assert load is not None and load.tables["payments"].rows_quarantined == 1
    moment = datetime.fromisoformat("2026-01-02 03:00:00")
    assert rows_of(env, "shop", "payments", "paid_at") == [(moment,)] * 5


def test_parquet_of_bytes_and_of_doubles_lands_as_what_was_meant(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    texts = pa.array(["Hà".encode(), b"\xff\xfe", b"c", b"d"], pa.binary())
    table = pa.table({
        "id": pa.array([1001.0, 1002.0, 1003.0, 1004.5]), "order_id": texts,
        "amount": pa.array([59.97, 1.0, 1.23456789, 0.1 + 0.2 - 0.3]),
        "paid_at": pa.array(["2026-01-01 10:00:00"] * 4),
    })  # fmt: skip
    pq.write_table(table, folder / "payments.parquet")
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id, order_id, amount") == [
        ("1001", "Hà", Decimal("59.97")), ("1004.5", "d", Decimal(0)),
    ]  # fmt: skip
    reasons = [row["reason"] for row in quarantined(env, "shop", "payments", "payments.parquet")]
    assert reasons[0].endswith("is not text in UTF-8")
    assert reasons[1] == "amount: 9.99999999 is not a number with at most 4 decimals"


def test_a_file_without_a_byte_stops_nothing(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(HEADER + "1,o,1,2026-01-01 10:00:00\n")
    (folder / "payments-2.csv").write_text("")
    load = ingest(env, "shop")
    assert load is not None and load.tables["payments"].rows_landed == 1
