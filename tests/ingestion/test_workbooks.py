"""Workbooks as people keep them: titles, blank rows, several sheets."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from landed_data import PAYMENTS, Configure, quarantined, rows_of
from workbooks import Cells, write_workbook

from ingestion.config import load_sources
from ingestion.run import check_source, ingest
from ingestion.sources import files
from ingestion.spec import FetchContext, Seen
from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from khach.progress import Silent

TABLE = "      payments:\n"
HEADER: Cells = {"A": "id", "B": "order_id", "C": "amount", "D": "paid_at"}


def with_keys(**keys: str | int) -> str:
    """PAYMENTS with more settings for its table."""
    lines = "".join(f"        {key}: {value}\n" for key, value in keys.items())
    return PAYMENTS.replace(TABLE, TABLE + lines)


def counts(env: Environment) -> tuple[int, int, int]:
    load = ingest(env, "shop")
    assert load is not None
    one = load.tables["payments"]
    return one.rows_offered, one.rows_landed, one.rows_quarantined


def test_blank_rows_above_between_and_below_are_no_rows(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    rows: dict[int, Cells] = {
        1: {"A": None},
        3: HEADER,
        4: {"A": 1, "C": 2.5},
        6: {"A": None, "B": "", "C": None},
        7: {"B": "no key", "C": 1},
        9: {"A": 2, "C": 7, "F": "a note beside the table"},
        10: {"F": "another note"},
        1000: {"A": None},
    }
    write_workbook(folder / "payments.xlsx", {"Sheet1": rows})
    assert counts(env) == (3, 2, 1)
    found = rows_of(env, "shop", "payments", "payment_id, amount, _row")
    assert found == [("1", Decimal("2.5"), 1), ("2", Decimal(7), 6)]
    (row,) = quarantined(env, "shop", "payments", "payments.xlsx")
    assert (row["line"], row["reason"]) == (4, "payment_id is missing")


def test_titles_are_left_out_and_a_sheet_is_chosen(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(with_keys(header_row=4, sheet="Chi tiết"))
    shifted = {chr(ord(letter) + 1): name for letter, name in HEADER.items()}
    write_workbook(
        folder / "payments.xlsx",
        {
            "Tổng hợp": {1: {"A": "Báo cáo"}, 2: {"A": 9}},
            "Chi tiết": {1: {"A": "Báo cáo bán hàng"}, 4: shifted, 5: {"B": 1, "D": 3}},
        },
    )
    (config,) = load_sources(env)
    assert check_source(env, config)[0].found == "1 files, newest 1 rows"
    assert counts(env) == (1, 1, 0)
    assert rows_of(env, "shop", "payments", "payment_id, amount") == [("1", Decimal(3))]


@pytest.mark.parametrize(
    ("keys", "message", "fix"),
    [
        ({}, "none of the columns", "header_row"),
        ({"sheet": "Chi tiet"}, "has no sheet 'Chi tiet'", "Chi tiết"),
        ({"header_row": 2}, "has no header in row 2 of sheet 'Sheet1'", "header_row"),
        ({"sheet": "Chi tiết"}, "has no header in sheet 'Chi tiết'", "sheet"),
    ],
    ids=["title", "no such sheet", "blank row", "blank sheet"],
)
def test_a_workbook_that_lies_otherwise_is_told_with_what_to_set(  # noqa: PLR0917 - columns above
    env: Environment, configure: Configure, folder: Path, keys: dict, message: str, fix: str
) -> None:
    configure(with_keys(**keys))
    rows: dict[int, Cells] = {1: {"A": "Báo cáo"}, 3: HEADER, 4: {"A": 1, "C": 2}}
    write_workbook(folder / "payments.xlsx", {"Sheet1": rows, "Chi tiết": {}})
    with pytest.raises(ConfigError, match=message) as caught:
        ingest(env, "shop")
    assert fix in str(caught.value.fix)
    assert (caught.value.key or "").startswith("sources.shop.tables.payments")


def test_what_is_no_workbook_is_said_to_be_none(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments.xlsx").write_bytes(b"<table><tr><td>id</td></tr></table>")
    with pytest.raises(KhachError, match=r"payments\.xlsx is not a readable xlsx workbook"):
        ingest(env, "shop")


VALUES = st.sampled_from([None, "", "x", 5, "  "])


@given(
    first=st.integers(1, 4),
    rows=st.dictionaries(
        st.integers(1, 12), st.dictionaries(st.sampled_from("ABCDF"), VALUES), max_size=8
    ),
)
def test_every_row_with_a_value_is_offered_once_wherever_the_table_stands(  # noqa: PLR0917 - drawn
    env: Environment, configure: Configure, folder: Path, tmp_path: Path,
    first: int, rows: dict[int, Cells],
) -> None:  # fmt: skip
    configure(PAYMENTS)
    (config,) = load_sources(env)
    staging = tmp_path / "staging"
    staging.mkdir(exist_ok=True)
    below = {first + number: dict(sorted(cells.items())) for number, cells in sorted(rows.items())}
    write_workbook(folder / "payments.xlsx", {"Sheet1": {first: HEADER} | below})
    extract = files.fetch(FetchContext(env, config, Seen(), staging, Silent()))
    assert extract is not None
    (one,) = extract.deliveries
    filled = [r for r in rows.values() if any(r.get(c) not in (None, "") for c in "ABCD")]
    assert one.rows_offered == len(filled) == one.rows_landed + one.rows_quarantined
