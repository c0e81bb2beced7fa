"""No person of the sandbox stands in a log, a tool's storage or a check's metadata."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
DIGITS = re.compile(r"\+?[0-9][0-9 .()-]{7,16}[0-9]")


@dataclass(frozen=True)
class People:
    """Everything that would give a person away, in comparable form."""

    emails: frozenset[str]
    phones: frozenset[str]
    names: tuple[str, ...]

    def found_in(self, text: str) -> list[str]:
        """What of these people stands in a text."""
        emails = {match.lower() for match in EMAIL.findall(text)} & self.emails
        phones = {national(match) for match in DIGITS.findall(text)} & self.phones
        return [*emails, *phones, *(name for name in self.names if name in text)]


def national(phone: str) -> str:
    """The last nine digits: the same for every way of writing a Vietnamese number."""
    return re.sub(r"[^0-9]", "", phone)[-9:]


@pytest.fixture(scope="module")
def people(twin: Installation) -> People:
    truth = twin.home / "sandbox" / "truth"
    canaries = json.loads((truth / "canaries.json").read_text(encoding="utf-8"))
    assert len(canaries) == 20
    rows = duckdb.sql(
        "select full_name, [email, second_email, third_email], [phone, second_phone] "
        f"from '{truth / 'people.parquet'}'"
    ).fetchall()
    emails = {e.lower() for _, values, _ in rows for e in values if e}
    phones = {national(p) for _, _, values in rows for p in values if p}
    names = {name for name, _, _ in rows} | {c["full_name"] for c in canaries}
    emails |= {e for c in canaries for e in c["emails"]}
    names |= {c["ascii_name"] for c in canaries}
    phones |= {national(c["phone_e164"]) for c in canaries}
    return People(frozenset(emails), frozenset(phones), tuple(sorted(names)))


def written_files(home: Path) -> Iterator[Path]:
    """Logs and every tool's storage; the lake, the marts and the sources' own files apart."""
    folders = [home / name for name in ("logs", "dagster", "dlt", "dbt", "scratch")]
    folders += [home / "sandbox" / "logs"]
    for folder in folders:
        yield from (file for file in folder.rglob("*") if file.is_file())


def test_no_log_and_no_storage_file_names_a_person(twin: Installation, people: People) -> None:
    files = list(written_files(twin.home))
    assert len(files) > 10
    found = {
        str(file.relative_to(twin.home)): hits
        for file in files
        if (hits := people.found_in(file.read_bytes().decode("utf-8", "ignore")))
    }
    assert not found


def test_no_parquet_file_stays_in_a_tools_storage(twin: Installation) -> None:
    # Parquet is compressed, so the search above could not see what is in it.
    assert [f.name for f in written_files(twin.home) if f.suffix == ".parquet"] == []


def test_no_file_name_names_a_person(twin: Installation, people: People) -> None:
    names = [str(file.relative_to(twin.home)) for file in twin.home.rglob("*")]
    assert [name for name in names if people.found_in(name)] == []


def test_no_check_run_receipt_or_report_names_a_person(twin: Installation, people: People) -> None:
    texts = [(twin.home / "published" / "report.html").read_text(encoding="utf-8")]
    queries = {
        "state.duckdb": ("check_results", "runs", "data_quality", "sync_receipts", "sync_plans",
                         "sync_plan_rows", "sync_intents", "loads"),
        "published/operations.duckdb": ("runs", "data_quality", "sync_plans", "sync_receipts"),
    }  # fmt: skip
    for file, tables in queries.items():
        with duckdb.connect(str(twin.home / file), read_only=True) as connection:
            for table in tables:
                rows = connection.execute(f"select * from {table}").fetchall()
                texts.append("\n".join(str(row) for row in rows))
    assert [hit for text in texts for hit in people.found_in(text)] == []


def test_the_search_can_find_a_person(people: People) -> None:
    phone = next(iter(people.phones))
    assert people.found_in(f"call +84 {phone} at once")
    assert people.found_in(f"unknown customer {people.names[0]}")
    assert people.found_in(f"<{next(iter(people.emails)).upper()}> bounced")
