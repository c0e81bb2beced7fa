"""The public tables are what docs/marts.md promises."""

import re
from pathlib import Path

import duckdb
import pytest

from khach.environment import PROJECT
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]
ROW = re.compile(r"^\| (?P<tables>[^|]+) \| [^|]+ \| (?P<columns>.+) \|$", re.MULTILINE)


def promised() -> list[tuple[str, bool, list[str]]]:
    """(table, is an operations table, its columns) for every row of the page."""
    text = (PROJECT / "docs" / "marts.md").read_text(encoding="utf-8")
    found = []
    for row in ROW.finditer(text):
        names = row["tables"].replace("*operations*", "").strip()
        if names in ("table", "---"):
            continue
        tables = [name.strip() for name in names.split(",")]
        groups = row["columns"].split(";")
        for number, table in enumerate(tables):
            group = groups[number] if len(groups) == len(tables) else ""
            found.append((table, "*operations*" in row["tables"], _columns(group)))
    return found


def _columns(group: str) -> list[str]:
    without_notes = re.sub(r"\([^)]*\)", "", group)
    return re.findall(r"\b[a-z][a-z0-9_]*\b(?=\s*(?:,|$))", without_notes)


def columns_of(path: Path) -> dict[str, set[str]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            "select table_name, list(column_name) from information_schema.columns "
            "where table_schema = 'main' group by 1"
        ).fetchall()
    return {table: set(columns) for table, columns in rows}


def test_every_promised_table_and_column_is_published(twin: Installation) -> None:
    published = twin.home / "published"
    marts = columns_of(published / "current" / "marts.duckdb")
    operations = columns_of(published / "operations.duckdb")
    rows = promised()
    assert len(rows) > 40
    missing = []
    for table, is_operations, columns in rows:
        present = (operations if is_operations else marts).get(table)
        if present is None:
            missing.append(table)
        else:
            missing += [f"{table}.{column}" for column in columns if column not in present]
    assert not missing


def test_every_table_has_a_parquet_file_with_the_same_rows(twin: Installation) -> None:
    folder = twin.home / "published" / "current"
    with duckdb.connect(str(folder / "marts.duckdb"), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main'"
        ).fetchall()
        for (table,) in tables:
            file = folder / f"{table}.parquet"
            counts = connection.execute(
                f"select (select count(*) from main.{table}), "
                f"(select count(*) from read_parquet('{file}'))"
            ).fetchone()
            assert counts and counts[0] == counts[1], table


def test_analysts_see_no_personal_column(twin: Installation) -> None:
    path = twin.home / "published" / "current" / "marts.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        columns = connection.execute(
            "select table_name || '.' || column_name from information_schema.columns "
            "where table_schema = 'analyst'"
        ).fetchall()
    names = {name for (name,) in columns}
    personal = {
        f"customers.{c}"
        for c in ("full_name", "given_name", "family_name", "email", "phone_e164", "birth_date",
                  "address_original", "salutation_name")
    } | {"customer_identifiers.identifier_value", "customer_attributes.value"}  # fmt: skip
    assert "customers.customer_id" in names
    assert not personal & names
