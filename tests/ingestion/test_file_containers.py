"""Rows that come in one JSON array, or in a .zip: the same rows, or a clear error."""

import gzip
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, quarantined, rows_of

from ingestion.config import load_sources
from ingestion.run import check_source, ingest, pending_loads
from ingestion.sources import files
from ingestion.spec import FetchContext, Seen
from khach.environment import Environment
from khach.errors import KhachError
from khach.progress import Silent

HEADER = "id,order_id,amount,paid_at\n"
LINES = HEADER + '1,"ô\n1",2.5,\n2,,7,\n'
ROWS: list[Any] = [
    {"id": 1, "order_id": "ô\n1", "amount": 2.5},
    {"id": "2", "amount": 7, "more": {"a": [1, None]}},
]


def zipped(*members: tuple[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return content.getvalue()


LARGE = bytearray(zipped(("a.csv", HEADER.encode() + b"1,o,1,\n" * 9999)))
LARGE[len(LARGE) // 3] ^= 0xFF


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("payments.json", json.dumps(ROWS).encode()),
        ("payments.json", json.dumps(ROWS, indent=2).replace("\n", "\r\n").encode("utf-8-sig")),
        ("payments.json", json.dumps(ROWS, ensure_ascii=False).encode("utf-16")),
        ("payments.json.gz", gzip.compress(json.dumps(ROWS).encode())),
        ("payments.json", "\n".join(map(json.dumps, ROWS)).encode()),
        ("payments.ZIP", zipped(("export.csv", LINES.encode()))),
        ("payments.csv.zip", zipped(
            ("__MACOSX/._b.txt", b"x"), ("a/", b""), ("a/b.txt", LINES.encode("utf-16"))
        )),
    ],
    ids=["one line", "pretty", "utf-16", "gz", "lines", "zip", "zip of utf-16"],
)  # fmt: skip
def test_what_is_in_it_lands_as_by_itself(
    env: Environment, configure: Configure, folder: Path, name: str, content: bytes
) -> None:
    configure(PAYMENTS)
    (folder / name).write_bytes(content)
    (config,) = load_sources(env)
    assert check_source(env, config)[0].found.startswith("1 files, newest 2 rows")
    load = ingest(env, "shop")
    assert load is not None and load.tables["payments"].rows_quarantined == 0
    assert rows_of(env, "shop", "payments", "payment_id, order_id, amount, _file, _row") == [
        ("1", "ô\n1", Decimal("2.5"), name, 1),
        ("2", None, Decimal(7), name, 2),
    ]
    assert ingest(env, "shop") is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.json", b'[{"id": 1},', "p.json is not one complete JSON array"),
        ("p.json", b'[{"id": 1} {"id": 2}]', "p.json is not one complete JSON array"),
        ("p.json", b'[{"id": nope}]', "p.json is not one complete JSON array"),
        ("p.json", b'{\n "rows": [{"id": 1}]\n}', "one JSON object over several lines"),
        ("p.json.gz", gzip.compress(b'[{"id": 1}]')[:-9], "p.json.gz is not a complete gzip file"),
        ("p.zip", zipped(("a.csv", b""), ("b.csv", b"")), "p.zip holds 2 files, not one of .csv"),
        ("p.zip", zipped(("a.xlsx", b"")), "p.zip holds 1 files, not one of .csv"),
        ("p.zip", bytes(LARGE[:60]), "p.zip is not a complete zip file"),
        ("p.zip", bytes(LARGE), "p.zip is not a complete zip file"),
        ("p.zip", zipped(("a.csv", b"id\n")).replace(b"PK\x01\x02\x14\x03\x14\x00\x00",
                                                b"PK\x01\x02\x14\x03\x14\x00\x01"),
         "p.zip is protected by a password"),
    ],
    ids=["cut array", "no comma", "no value", "an object", "cut gz", "two files", "no text",
         "cut zip", "damaged zip", "password"],
)  # fmt: skip
def test_what_is_broken_or_something_else_is_told_and_lands_nothing(  # noqa: PLR0917 - columns
    env: Environment, configure: Configure, folder: Path, name: str, content: bytes, message: str
) -> None:  # fmt: skip
    configure(PAYMENTS.replace("payments*", "p.*"))
    (folder / name).write_bytes(content)
    with pytest.raises(KhachError) as caught:
        ingest(env, "shop")
    assert message in str(caught.value)
    assert pending_loads(env) == []


VALUES = st.one_of(st.none(), st.integers(-9, 9), st.text('a"\\\n\u2028đ,]', max_size=5))
ITEMS = st.one_of(
    st.fixed_dictionaries({"id": VALUES, "order_id": VALUES}), st.sampled_from([None, 3, [1], "x"])
)


@given(
    items=st.lists(ITEMS, max_size=8).map([{"id": "a", "order_id": "b"}].__add__),
    indent=st.sampled_from([None, 0, 3]),
)
def test_an_array_means_the_same_as_its_items_line_by_line(  # noqa: PLR0917 - drawn
    env: Environment, configure: Configure, folder: Path, tmp_path: Path,
    items: list[Any], indent: int | None,
) -> None:  # fmt: skip
    configure(PAYMENTS.replace("        filter: amount > 0\n", "")
              .replace(", amount: amount, paid_at: paid_at", ""))  # fmt: skip
    (config,) = load_sources(env)
    staging = tmp_path / "staging"
    staging.mkdir(exist_ok=True)
    found = []
    for text in ("".join(f"{json.dumps(item)}\n" for item in items),
                 json.dumps(items, indent=indent)):  # fmt: skip
        (folder / "payments.json").write_text(text, newline="", encoding="utf-8")
        extract = files.fetch(FetchContext(env, config, Seen(), staging, Silent()))
        assert extract is not None
        (one,) = extract.deliveries
        path = extract.files["payments"]
        rows = duckdb.sql(f"select payment_id, order_id, _row from '{path}'").fetchall()
        bad = [row["line"] for row in quarantined(env, "shop", "payments", "payments.json")]
        found.append((rows, bad, one.rows_offered))
    assert found[0] == found[1]
    assert found[1][2] == len(items)
