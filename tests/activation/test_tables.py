"""What is in the delivered files, read back by other readers than the writers."""

import csv
import re
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from activation_shop import AUDIENCE, Shop, people
from hypothesis import given
from hypothesis import strategies as st

from activation.apply import apply_plan
from activation.channels import tables
from activation.consent import Consent, PermittedRow, permit
from activation.plan import make_plan
from khach.errors import ConfigError

NASTY = [
    "=1+1", "+84912345678", "-2", "@sum(a1)", "\t=1", "＝1", " =1", "0912345678",
    "123456789012345678", "1e5", "3-4", "chị Lan", 'anh "Năm", 9', "a\nb", "", "12",
]  # fmt: skip


def row(customer_id: str, greeting: str, identifier: str = "+84912345678") -> PermittedRow:
    consent = Consent(f"k-{customer_id}", customer_id, "sms", "marketing", is_granted=True)
    return permit(
        consent, customer_id=customer_id, channel="sms", purpose="marketing",
        identifier=identifier, remote_id="r", fields={"greeting": greeting},
    )  # fmt: skip


def rows(greetings: list[str]) -> list[PermittedRow]:
    return [row(f"c{number:03}", greeting) for number, greeting in enumerate(greetings)]


def read_csv(path: Path, encoding: str) -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as handle:
        return list(csv.reader(handle))


def sheet(path: Path) -> list[list[tuple[str, str]]]:
    """(type, text) of each cell of a sheet, from its XML; every cell must be inline text."""
    with zipfile.ZipFile(path) as file:
        xml = file.read("xl/worksheets/sheet1.xml").decode()
    found = []
    for line in re.findall(r"<row.*?</row>", xml, re.S):
        cells = re.findall(r'<c [^>]*t="(\w+)"[^>]*>(.*?)</c>', line, re.S)
        found.append([(kind, re.sub("<.*?>", "", text, flags=re.S)) for kind, text in cells])
    return found


def test_plain_csv_says_exactly_what_the_rows_say_in_order_of_the_customers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "list"
    tables.write_members(path, "csv", rows(NASTY)[::-1], ["greeting"])
    read = read_csv(path, "utf-8")
    assert read[0] == ["customer_id", "identifier", "greeting"]
    assert [line[2] for line in read[1:]] == NASTY
    assert [line[0] for line in read[1:]] == sorted(line[0] for line in read[1:])


def test_csv_for_excel_runs_nothing_and_keeps_numbers_as_text(tmp_path: Path) -> None:
    path = tmp_path / "list"
    tables.write_members(path, "csv_excel", rows(NASTY), ["greeting"])
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    read = [line[2] for line in read_csv(path, "utf-8-sig")[1:]]
    harmless = {"chị Lan", 'anh "Năm", 9', "a\nb", "", "12"}
    assert read == [text if text in harmless else f"'{text}" for text in NASTY]


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00")))
def test_no_cell_for_excel_begins_as_a_formula(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list"
    tables.write_members(path, "csv_excel", rows([text]), ["greeting"])
    written = read_csv(path, "utf-8-sig")[1][2]
    assert written in (text, f"'{text}")
    assert not re.match(r"\s*[=+\-@]|\t|\r", written)


def test_a_sheet_holds_text_cells_only(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    tables.write_members(path, "xlsx", rows([*NASTY[:10], "bell\x07"]), ["greeting"])
    read = sheet(path)
    assert {kind for line in read for kind, _ in line} <= {"inlineStr", "s", "str"}
    assert [line[2][1] for line in read[1:]] == [*NASTY[:10], "bell"]
    assert {line[1][1] for line in read[1:]} == {"+84912345678"}


def test_a_sheet_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "XLSX_ROWS", 2)
    with pytest.raises(ConfigError, match="more than a sheet holds"):
        tables.write_members(tmp_path / "list", "xlsx", rows(["a"] * 3), ["greeting"])
    assert not (tmp_path / "list").exists()


def test_parquet_holds_the_same_over_several_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_BATCH", 3)
    tables.write_members(tmp_path / "list", "parquet", rows(NASTY), ["greeting"])
    read = pq.read_table(tmp_path / "list")
    assert read.column_names == ["customer_id", "identifier", "greeting"]
    assert read.column("greeting").to_pylist() == NASTY
    tables.write_members(tmp_path / "list.xlsx", "xlsx", rows(NASTY[:8]), ["greeting"])
    assert len(sheet(tmp_path / "list.xlsx")) == 9


@pytest.mark.parametrize("file_format", tables.FORMATS)
def test_an_empty_list_has_its_header(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "list"
    tables.write_members(path, file_format, [], ["greeting"])
    header = {
        "parquet": lambda: pq.read_table(path).column_names,
        "xlsx": lambda: [text for _, text in sheet(path)[0]],
    }.get(file_format, lambda: read_csv(path, "utf-8-sig")[0])
    assert header() == ["customer_id", "identifier", "greeting"]


@pytest.mark.parametrize("file_format", tables.FORMATS)
def test_no_format_takes_a_row_without_permission(tmp_path: Path, file_format: str) -> None:
    with pytest.raises(TypeError, match="PermittedRow"):
        tables.write_members(tmp_path / "list", file_format, [object()], [])  # type: ignore[list-item]
    assert not (tmp_path / "list").exists()


def test_a_sync_delivers_each_format_and_clears_the_one_before(bare_shop: Shop) -> None:
    bare_shop.publish(people(3))
    folder = Path(bare_shop.variables["CART_DROP_FOLDER"])
    for file_format, suffix in tables.SUFFIXES.items():
        bare_shop.audience(AUDIENCE.replace("format: csv", f"format: {file_format}"))
        plan = make_plan(bare_shop.env, "cart_file")
        apply_plan(bare_shop.env, plan.plan_id)
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            [f"cart_file{suffix}", "cart_file.manifest.json"]
        )
