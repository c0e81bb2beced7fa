"""Files for spreadsheets: what Excel guesses wrong arrives as what it is."""

import csv
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khach import exports
from khach.cli.main import execute
from khach.environment import Environment
from khach.errors import ConfigError
from khach.exports import export
from khach.publishing import publish
from tests.khach.test_publishing import AS_OF
from tests.khach.warehouse import build_warehouse

ENGINE = duckdb.connect()
HARD = """
    select '=1+1' as formula, '+84912345678' as phone, '0912345678' as local_phone,
        '-5 %' as minus, '@SUM(A1)' as at, chr(9) || '=1' as tab, '00123' as member_number,
        '1E5' as exponent, '3-4' as like_a_date, 'Nguyễn Thị Lan, "anh"' as full_name,
        12345678901234567::bigint as long_number, -5 as negative, 1.50::decimal(18, 4) as amount,
        1234567890123456.1200::decimal(20, 4) as long_amount, null::varchar as nothing,
        timestamp '2026-06-30 17:00:00' as ordered_at, date '2026-06-30' as ordered_on,
        true as is_completed, [1, 2] as steps, 'bell' || chr(7) as bell, sum(1) as total
"""
TEXTS = {
    "formula": "=1+1", "phone": "+84912345678", "local_phone": "0912345678", "minus": "-5 %",
    "at": "@SUM(A1)", "tab": "\t=1", "member_number": "00123", "exponent": "1E5",
    "like_a_date": "3-4", "long_number": "12345678901234567",
    "long_amount": "1234567890123456.1200",
}  # fmt: skip


@pytest.fixture
def published(env: Environment) -> Environment:
    build_warehouse(env)
    publish(env, "r1", AS_OF)
    return env


def rows_of(file: Path) -> list[dict[str, str]]:
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def cells_of(file: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The names, and (type, content) of each cell of the first row, as a spreadsheet reads them."""
    with zipfile.ZipFile(file) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    assert not list(sheet.iter(f"{space}f")), "a cell holds a formula"
    rows = [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.iter(f"{space}c")]
        for row in sheet.iter(f"{space}row")
    ]
    return [name for _, name in rows[0]], rows[1]


def test_a_csv_for_excel_marks_what_it_would_misread(published: Environment, tmp_path) -> None:
    file = tmp_path / "hard.csv"
    assert export(published, HARD, file) == 1
    (row,) = rows_of(file)
    for name, value in TEXTS.items():
        assert row[name] == f"'{value}", name
    assert row["full_name"] == 'Nguyễn Thị Lan, "anh"'
    assert (row["negative"], row["amount"], row["total"]) == ("-5", "1.5000", "1")
    assert (row["ordered_at"], row["ordered_on"]) == ("2026-06-30 17:00:00", "2026-06-30")
    assert (row["is_completed"], row["nothing"], row["steps"]) == ("true", "", "[1, 2]")


def test_an_xlsx_has_typed_cells_and_not_one_formula(published: Environment, tmp_path) -> None:
    file = tmp_path / "hard.xlsx"
    assert export(published, HARD.replace("null::varchar as nothing,", ""), file) == 1
    names, values = cells_of(file)
    row = dict(zip(names, values, strict=True))
    for name, value in TEXTS.items():
        assert row[name] == ("inlineStr", value), name
    assert row["full_name"] == ("inlineStr", 'Nguyễn Thị Lan, "anh"')
    assert row["bell"] == ("inlineStr", "bell")
    assert [row[name] for name in ("negative", "amount", "total")] == [
        ("n", "-5"), ("n", "1.5000"), ("n", "1")
    ]  # fmt: skip
    kind, days = row["ordered_on"]
    assert (kind, Decimal(days)) == ("n", 46203)  # a date is a number with a date's format
    assert row["is_completed"] == ("b", "1")


def test_a_parquet_file_keeps_every_value(published: Environment, tmp_path) -> None:
    file = tmp_path / "hard.parquet"
    export(published, HARD, file)
    with duckdb.connect() as connection:
        names = ", ".join(f'"{name}"' for name in TEXTS)
        found = connection.execute(f"select {names} from '{file}'").fetchone()
    assert tuple(map(str, found or ())) == tuple(TEXTS.values())


@given(st.lists(st.text(max_size=12), min_size=1, max_size=20))
def test_no_cell_of_a_csv_begins_as_a_formula_and_every_text_can_be_had_back(texts) -> None:
    cell = exports._cell(ENGINE, "t", "VARCHAR", ".csv")
    query = f"select t, {cell} from (select unnest(?::varchar[]) as t)"
    written = ENGINE.execute(query, [texts]).fetchall()
    for text, shown in written:
        assert not shown.lstrip().startswith(("=", "+", "-", "@"))
        assert not shown.startswith(("\t", "\r", "\n"))
        assert shown in (text, f"'{text}")


def test_headings_are_no_formulas_either(published: Environment, tmp_path) -> None:
    file = tmp_path / "names.csv"
    export(published, """select 1 as "=cmd()", 2 as "it's", 3 as "it's" """, file)
    assert list(rows_of(file)[0]) == ["'=cmd()", "it's", "it's_1"]


def test_a_file_is_replaced_only_by_force_and_never_by_half(
    published: Environment, tmp_path, capfd
) -> None:
    file = tmp_path / "o.csv"
    file.write_text("precious")
    query = "select order_id from orders order by 1 limit 3"
    assert execute(["query", query, "--output", str(file)]) == 2
    assert "--force" in capfd.readouterr().err
    assert execute(["query", "select nope from orders", "--output", str(file), "--force"]) == 2
    assert file.read_text() == "precious"
    assert execute(["query", query, "--output", str(file), "--force", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"file": str(file), "rows": 3}
    assert [row["order_id"] for row in rows_of(file)] == ["o0", "o1", "o10"]
    assert [path.name for path in tmp_path.glob("*o.csv*")] == ["o.csv"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("select 1", "a.ods"), "no format"),
        (("select 1", "nowhere/a.csv"), "does not exist"),
        (("drop table orders", "a.csv"), "reads"),
        (("select 1; select 2", "a.csv"), "one select"),
        (("from read_csv('/etc/passwd')", "a.csv"), "no files"),
        (("from range(5)", "a.xlsx"), "more than a sheet holds"),
    ],
)
def test_what_cannot_be_written_says_why(
    published: Environment, tmp_path, monkeypatch, asked: tuple[str, str], words: str
) -> None:
    monkeypatch.setattr(exports, "XLSX_ROWS", 4)
    with pytest.raises(ConfigError, match=words):
        export(published, asked[0], tmp_path / asked[1])
    assert not list(tmp_path.glob("*a.*"))


@pytest.mark.parametrize(
    "sql",
    ["with o as (from orders) select * from o -- and so on", "describe orders;", "summarize orders",
     "select * exclude (order_id) from orders order by order_id limit 2"],
)  # fmt: skip
def test_whatever_reads_can_be_written(published: Environment, tmp_path, sql: str) -> None:
    assert export(published, sql, tmp_path / "a.xlsx") >= 2
