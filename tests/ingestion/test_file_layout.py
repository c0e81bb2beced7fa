"""What stands around the rows of an export: titles above the header, blank lines and rows."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, quarantined, rows_of

from ingestion.config import load_sources
from ingestion.run import ingest, pending_loads
from ingestion.sources import files
from ingestion.spec import FetchContext, Seen
from khach.environment import Environment
from khach.errors import ConfigError
from khach.progress import Silent

HEADER = "id,order_id,amount,paid_at\n"
TABLE = "      payments:\n"
GOOD = "1,o,1,2026-01-01 10:00:00\n"


def with_keys(**keys: Any) -> str:
    """PAYMENTS with more settings for its table."""
    lines = "".join(f"        {key}: {value}\n" for key, value in keys.items())
    return PAYMENTS.replace(TABLE, TABLE + lines)


def counts(env: Environment) -> tuple[int, int, int]:
    load = ingest(env, "shop")
    assert load is not None
    one = load.tables["payments"]
    return one.rows_offered, one.rows_landed, one.rows_quarantined


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bad", ["", "3,o\n"], ids=["all good", "beside a bad row"])
def test_blank_lines_and_empty_records_are_no_rows(
    env: Environment, configure: Configure, folder: Path, end: str, bad: str
) -> None:
    configure(PAYMENTS)
    lines = f'\n{HEADER}{GOOD}\n,,,\n"","",,\n2,"o",1,\n{bad}   \n,,,\n\n\n'
    (folder / "payments-1.csv").write_text(lines, newline=end)
    (folder / "payments-2.csv").write_text(HEADER + "9,o,1,\n", newline=end)
    assert counts(env) == (3 + bool(bad), 3, int(bool(bad)))
    rows = rows_of(env, "shop", "payments", "payment_id, _file, _row")
    assert rows == [("1", "payments-1.csv", 1), ("2", "payments-1.csv", 4),
                    ("9", "payments-2.csv", 1)]  # fmt: skip
    refused = quarantined(env, "shop", "payments", "payments-1.csv")
    assert [row["reason"] for row in refused] == ["2 fields instead of 4"] * bool(bad)


@pytest.mark.parametrize("lines", ["1\n\n\n2\n\n", "1\n2\n\n\n"], ids=["between", "at the end"])
def test_a_blank_line_in_a_file_of_one_column_is_no_row(
    env: Environment, configure: Configure, folder: Path, lines: str
) -> None:
    configure(
        PAYMENTS.split("        filter", maxsplit=1)[0] + "        columns: {payment_id: id}\n"
    )
    (folder / "payments-1.csv").write_text("id\n" + lines)
    (folder / "payments-2.csv").write_text("id\n3\n")
    assert counts(env) == (3, 3, 0)
    rows = rows_of(env, "shop", "payments", "payment_id, _row")
    assert rows == [("1", 1), ("2", 2), ("3", 1)]


LINES = st.lists(
    st.sampled_from(["a,o,1,", ",,,", "", "  ", '"b\n\n,,,\nb",,1,', '"",,,', "c,o,1.5.5,", "d,o",
                     ",o,1,", "\xa0"]),
    max_size=12,
)  # fmt: skip


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]), is_ended=st.booleans())
def test_a_file_means_the_same_with_and_without_its_blank_lines(  # noqa: PLR0917 - drawn
    env: Environment, configure: Configure, folder: Path, tmp_path: Path,
    lines: list[str], end: str, is_ended: bool,
) -> None:  # fmt: skip
    configure(PAYMENTS)
    (config,) = load_sources(env)
    staging = tmp_path / "staging"
    staging.mkdir(exist_ok=True)
    found = []
    for kept in (lines, [line for line in lines if line.strip(' ,"')]):
        text = HEADER.strip() + end + end.join(kept) + end * is_ended
        (folder / "payments.csv").write_text(text, newline="", encoding="utf-8")
        extract = files.fetch(FetchContext(env, config, Seen(), staging, Silent()))
        assert extract is not None
        (one,) = extract.deliveries
        assert one.rows_offered == one.rows_landed + one.rows_quarantined
        found.append((one.rows_offered, one.rows_landed))
    assert found[0] == found[1]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_titles_above_the_header_are_left_out(
    env: Environment, configure: Configure, folder: Path, encoding: str
) -> None:
    configure(with_keys(header_row=4))
    title = 'Báo cáo bán hàng từ ngày 01/01,,,\nCửa hàng: "Huế\n\n'
    text = title + HEADER + GOOD + "2,o,x,\n"
    (folder / "payments-1.csv").write_bytes(text.encode(encoding))
    (folder / "payments-2.csv").write_bytes(b"")
    assert counts(env) == (2, 1, 1)
    assert rows_of(env, "shop", "payments", "payment_id, _row") == [("1", 1)]
    (row,) = quarantined(env, "shop", "payments", "payments-1.csv")
    assert (row["line"], row["columns"]) == (2, HEADER.strip().split(","))


def test_a_title_that_nobody_declared_and_a_header_row_too_far_down_are_told(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text("Báo cáo\n" + HEADER + GOOD)
    with pytest.raises(ConfigError, match="none of the columns") as caught:
        ingest(env, "shop")
    assert "header_row" in str(caught.value.fix)
    configure(with_keys(header_row=9))
    with pytest.raises(ConfigError, match=r"payments-1\.csv has no line 9") as caught:
        ingest(env, "shop")
    assert caught.value.key == "sources.shop.tables.payments"
    assert pending_loads(env) == []
    configure(with_keys(header_row=0))
    with pytest.raises(ConfigError, match="header_row") as caught:
        load_sources(env)
    assert caught.value.line == 9


@pytest.mark.parametrize(
    ("pattern", "keys", "unused"),
    [
        ("payments*.csv", {"sheet": "Sheet1", "header_row": 2}, ["sheet"]),
        ("payments*.parquet", {"header_row": 2, "encoding": "utf-16"}, ["encoding", "header_row"]),
        ("payments*.xlsx", {"header_row": 2, "encoding": "utf-16", "sheet": "A"}, ["encoding"]),
        ("payments*", {"header_row": 2, "encoding": "utf-16", "sheet": "A"}, []),
    ],
)
def test_a_setting_that_says_nothing_of_such_files_is_a_mistake(
    env: Environment, configure: Configure, pattern: str, keys: dict[str, Any], unused: list[str]
) -> None:
    configure(with_keys(**keys).replace("payments*", pattern))
    told = []
    try:
        load_sources(env)
    except ConfigError as mistake:
        told = mistake.each()
    assert [(one.key or "").split(".")[-1] for one in told] == unused
    assert all(one.line and "leave it out" in (one.fix or "") for one in told)
