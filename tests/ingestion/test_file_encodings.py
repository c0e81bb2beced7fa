"""Files in the encodings of tills and spreadsheets: the same rows as in UTF-8, or a clear error."""

import gzip
import tracemalloc
import unicodedata
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, quarantined, rows_of

from ingestion.config import load_sources
from ingestion.delivered import LocalFile
from ingestion.file_layout import FileLayout
from ingestion.plain_copies import plain_files
from ingestion.replay import replay
from ingestion.run import ingest, pending_loads
from ingestion.sources import files
from ingestion.spec import FetchContext, Seen
from khach.environment import Environment
from khach.errors import ConfigError
from khach.progress import Silent

SHOP = """sources:
  shop:
    kind: files
    area: pos
    folder: FOLDER
    tables:
      customers:
        from: "members*"
        columns: {record_id: id, full_name: name, province: place}
        values: {province: {Thừa Thiên Huế: Huế}}
"""
TABLE = "      customers:\n"
NAMES = ["Nguyễn Thị Hường", "Đặng Ưng Thuỵ", "Lê Ỷ Lan", "Ẫm Ữ", "Trần, Bảo\nNgọc"]
TONES = dict.fromkeys(map(ord, "\u0300\u0301\u0303\u0309\u0323"))


def declared(**keys: str) -> str:
    """SHOP with more settings for its table."""
    lines = "".join(f"        {key}: {value}\n" for key, value in keys.items())
    return SHOP.replace(TABLE, TABLE + lines)


def vietnamese(text: str) -> bytes:
    """Windows-1258 as its keyboards type it: a letter, then its tone as a sign of its own."""
    found = []
    for letter in unicodedata.normalize("NFC", text):
        apart = unicodedata.normalize("NFD", letter)
        tone = "".join(sign for sign in apart if ord(sign) in TONES)
        found.append(unicodedata.normalize("NFC", apart.translate(TONES)) + tone)
    return "".join(found).encode("windows-1258")


def members(names: list[str], delimiter: str = ",") -> str:
    rows = [["id", "name", "place"], *([str(n), name, "Thừa Thiên Huế"] for n, name in
            enumerate(names, 1))]  # fmt: skip
    quoted = (delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    return "\r\n".join(quoted) + "\r\n"


def landed(env: Environment, staging: Path) -> list[tuple[Any, ...]]:
    """What a source's reader makes of its folder, without dlt."""
    staging.mkdir(exist_ok=True)
    (config,) = load_sources(env)
    extract = files.fetch(FetchContext(env, config, Seen(), staging, Silent()))
    assert extract is not None
    for one in extract.deliveries:
        assert one.rows_offered == one.rows_landed + one.rows_quarantined
    path = extract.files["customers"]
    columns = "record_id, full_name, province, _row"
    return duckdb.sql(f"select {columns} from '{path}' order by _row").fetchall()


@pytest.mark.parametrize(
    ("delivered", "declared_as"), [("NFD", "NFC"), ("NFC", "NFD"), ("NFD", "NFD")]
)
def test_a_value_is_found_however_its_tones_are_written(
    env: Environment, configure: Configure, folder: Path, delivered: Any, declared_as: Any
) -> None:
    place = "Thừa Thiên Huế"
    configure(SHOP.replace(place, unicodedata.normalize(declared_as, place)))
    lines = unicodedata.normalize(delivered, f"id,name,place\n1,Lê,{place}\n2,Lê,Cần Thơ\n")
    (folder / "members.csv").write_text(lines)
    rows = landed(env, folder.parent / "staging")
    # What is in no list stays byte for byte.
    assert [row[2] for row in rows] == ["Huế", unicodedata.normalize(delivered, "Cần Thơ")]


@pytest.mark.parametrize(
    ("file", "content", "keys"),
    [
        ("members.txt", members(NAMES, "\t").encode("utf-16"), {"delimiter": '"\\t"'}),
        ("members.csv", b"\xfe\xff" + members(NAMES).encode("utf-16-be"), {}),
        ("members.csv", members(NAMES).encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("members.csv", vietnamese(members(NAMES)), {"encoding": "windows-1258"}),
        ("members.csv.gz", gzip.compress(vietnamese(members(NAMES))), {"encoding": "cp1258"}),
        ("members.csv", members(NAMES).encode("utf-8-sig"), {"encoding": "windows-1258"}),
        ("members.csv", members(NAMES).encode("utf-16"), {"encoding": "windows-1258"}),
    ],
    ids=["unicode text", "big end first", "without mark", "1258", "gz", "new till", "excel"],
)
def test_rows_of_another_encoding_land_as_those_of_utf_8(  # noqa: PLR0917 - columns above
    env: Environment, configure: Configure, folder: Path, file: str, content: bytes, keys: dict
) -> None:
    configure(declared(**keys))
    (folder / file).write_bytes(content)
    load = ingest(env, "shop")
    assert load is not None
    counts = load.tables["customers"]
    assert (counts.rows_offered, counts.rows_quarantined) == (len(NAMES), 0)
    # Composed, so that the mapped word is met and a name is the same name.
    assert rows_of(env, "shop", "customers", "full_name, province, _row") == sorted(
        (name, "Huế", number) for number, name in enumerate(NAMES, 1)
    )
    assert ingest(env, "shop") is None


def test_western_letters_land_and_a_byte_that_is_none_refuses_its_row_alone(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(declared(encoding="windows-1252"))
    (folder / "members-1.csv").write_bytes(
        b"id,name,place\n1,Ren\xe9e \x80,x\n2,Ren\x81e,x\n3,Zo\xeb,x\n"
    )
    load = ingest(env, "shop")
    assert load is not None and load.tables["customers"].rows_quarantined == 1
    assert rows_of(env, "shop", "customers", "record_id, full_name") == [
        ("1", "Renée €"), ("3", "Zoë"),
    ]  # fmt: skip
    (row,) = quarantined(env, "shop", "customers", "members-1.csv")
    assert (row["line"], row["reason"]) == (
        2, "a control character, or bytes that its encoding does not have",
    )  # fmt: skip


@given(
    names=st.lists(
        st.text("aZ ,\n\rđƯẫữỷÂ", min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=9
    ),
    encoding=st.sampled_from(["windows-1258", "utf-16", "utf-16-le", "utf-16-be"]),
    chunk=st.integers(1, 40),
)
@example(names=["ẫ" * 40], encoding="windows-1258", chunk=1)
def test_any_rows_are_the_same_in_any_encoding_wherever_pieces_end(  # noqa: PLR0917 - drawn
    env: Environment, configure: Configure, folder: Path, tmp_path: Path,
    names: list[str], encoding: str, chunk: int,
) -> None:  # fmt: skip
    text = members(names)
    file = folder / "members.csv"
    configure(SHOP)
    file.write_text(text, newline="", encoding="utf-8")
    wanted = landed(env, tmp_path / "staging")
    assert [row[1] for row in wanted] == names
    configure(declared(encoding=encoding))
    file.write_bytes(vietnamese(text) if encoding == "windows-1258" else text.encode(encoding))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ingestion.plain_copies._CHUNK", chunk)
        patched.setattr("ingestion.plain_copies._HEAD", 4)
        assert landed(env, tmp_path / "staging") == wanted


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        (vietnamese(members(["Nguyễn"] * 6)), "encoding: windows-1258"),
        (vietnamese("id,name,tỉnh\n1,A,x\n"), "encoding: windows-1258"),
        (members(["Nguyễn"]).encode("utf-16-le"), "encoding: utf-16-le"),
        (members(["Nguyễn"]).encode("utf-16-be"), "encoding: utf-16-be"),
    ],
    ids=["most rows", "header", "utf-16-le", "utf-16-be"],
)
def test_a_file_in_another_encoding_is_named_with_what_to_write(
    env: Environment, configure: Configure, folder: Path, content: bytes, fix: str
) -> None:
    configure(SHOP)
    (folder / "members-1.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=r"members-1\.csv is not text in UTF-8") as caught:
        ingest(env, "shop")
    assert fix in str(caught.value.fix)
    assert (caught.value.line, caught.value.key) == (7, "sources.shop.tables.customers")
    assert pending_loads(env) == []


def test_few_such_rows_are_quarantined_and_pass_once_the_encoding_is_set(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    good = members([f"Nguyễn {n}" for n in range(20)]).encode()
    (folder / "members-1.csv").write_bytes(good + vietnamese("99,Nguyễn Ẫm,Huế\r\n"))
    load = ingest(env, "shop")
    assert load is not None and load.tables["customers"].rows_quarantined == 1
    configure(declared(encoding="windows-1258"))
    assert replay(env, "shop").load is not None
    assert ("Nguyễn Ẫm", 21) in rows_of(env, "shop", "customers", "full_name, _row")


@pytest.mark.parametrize(
    ("word", "hint"),
    [("windows1258", "windows-1258"), ("utf-17", "utf-16"), ("base64", "known: utf-8")],
)
def test_an_encoding_that_does_not_exist_is_a_mistake_with_a_suggestion(
    env: Environment, configure: Configure, word: str, hint: str
) -> None:
    configure(declared(encoding=word))
    with pytest.raises(ConfigError, match="not an encoding") as caught:
        load_sources(env)
    assert (caught.value.line, caught.value.key) == (8, "sources.shop.tables.customers.encoding")
    assert hint in str(caught.value.fix)


def test_a_large_file_is_turned_into_utf_8_within_a_small_memory(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    line = vietnamese("1,Nguyễn Thị Hường,Thừa Thiên Huế\n")
    path.write_bytes(line * (60_000_000 // len(line)))
    layout = FileLayout(encoding="windows-1258")
    tracemalloc.start()
    with plain_files([LocalFile(path.name, path, "x:y")], layout, tmp_path) as (plain,):
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert plain.path.stat().st_size > 60_000_000
    assert peak < 20_000_000
    assert not plain.path.exists()


def test_a_setting_that_is_left_out_changes_no_schema_contract(
    env: Environment, configure: Configure
) -> None:
    configure(PAYMENTS)
    (config,) = load_sources(env)
    told = config.tables["payments"].model_dump()  # type: ignore[attr-defined]
    assert not {"encoding", "header_row", "sheet"} & told.keys()
