"""Every public table tells a BI tool what it is: contract, words, key, who may see which column."""

import json
import os
import re
from dataclasses import replace
from typing import Any

import duckdb
import pytest

from khach.dbt_manifest import PublicTable, public_tables
from khach.environment import Environment, load_environment
from tests.e2e.installation import Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("twin")]

# What identifies a person, or may hold what does, by name or by description.
PERSONAL_NAME = re.compile(
    r"^((full|given|family|first|last|middle|salutation|customer|contact|recipient)_name|.*e?mail"
    r"(_address)?|(tele)?phone(_.*)?|mobile|birth_(date|year)|date_of_birth|(.*_)?address(_.*)?"
    r"|ward|post(al)?_?code|latitude|longitude|ip(_address)?|user_agent|identifier_value"
    r"|.*record_id|anonymous_id|device_id|user_id|member_number|external_id|agent|comment"
    r"|original_value|(message|note)_?(text|body)?|stated_answer)$"
)
PERSONAL_WORDS = re.compile(
    r"e-mail address|phone number|street address|date of birth|year of birth, |given name|"
    r"family name|full name|identifier may be|visitor id|what was written|as the customer wrote",
    re.IGNORECASE,
)
# An e-mail address, or a Vietnamese phone number and nothing else.
CONTACT = "'[^ @]+@[^ @]+[.][a-z]+|^[+]?(84|0)[1-9][0-9]{8}$'"
# The words stand there for another reason; an answer is told only when many gave it.
IMPERSONAL = {"customers.household_id", "segment_evidence.stated_answer"}


@pytest.fixture(scope="module")
def tables(twin: Installation) -> list[PublicTable]:
    """The public tables that are filled, as dbt's manifest knows them."""
    return [table for table in public_tables(_environment(twin)) if table.name in _built(twin)]


def _environment(twin: Installation) -> Environment:
    before = dict(os.environ)
    try:
        return replace(load_environment(), home=twin.home, config=twin.config)
    finally:
        os.environ.clear()
        os.environ.update(before)


def _built(twin: Installation) -> set[str]:
    with twin.marts() as marts:
        rows = marts.execute("select table_name from duckdb_tables() where schema_name = 'main'")
        return {name for (name,) in rows.fetchall()}


def _manifest(twin: Installation) -> dict[str, Any]:
    return json.loads((twin.home / "dbt" / "manifest.json").read_text(encoding="utf-8"))


def test_every_public_table_has_a_contract(twin: Installation) -> None:
    without = [
        node["name"]
        for node in _manifest(twin)["nodes"].values()
        if node["resource_type"] == "model"
        and node["schema"] == "main"
        and node["name"] in _built(twin)
        and not node["config"]["contract"]["enforced"]
    ]
    assert not without


def test_every_table_and_column_is_described_where_it_is_read(twin: Installation) -> None:
    with twin.marts() as marts:
        silent = marts.execute(
            "select table_name from duckdb_tables() where schema_name = 'main' and comment is null "
            "union all select table_name || '.' || column_name from duckdb_columns() "
            "where schema_name = 'main' and not internal and coalesce(comment, '') = ''"
        ).fetchall()
    assert not silent


def test_every_table_documents_a_key_that_dbt_holds_to_be_unique(
    twin: Installation, tables: list[PublicTable]
) -> None:
    """The fix for a table named here: a test `unique` (or `primary_key`) in its YAML, or `meta`."""
    assert len(tables) > 40
    assert not [table.name for table in tables if table.is_filled and not table.key]
    known = {table.name: table.key for table in tables}
    assert known["customers"] == ("customer_id",)
    assert known["consents"] == ("consent_id",)
    assert known["kpi_values"] == ("kpi", "grain", "period_start", "slice", "slice_value")
    with twin.marts() as marts:
        for table in tables:
            if table.key:
                key = ", ".join(table.key)
                query = f"select count(*) - count(distinct ({key})) from {table.name}"
                assert marts.execute(query).fetchone() == (0,), table.name


def test_what_bi_tools_may_read_is_an_exposure(
    twin: Installation, tables: list[PublicTable]
) -> None:
    exposures = _manifest(twin)["exposures"]
    nodes = exposures["exposure.khach.bi_tools"]["depends_on"]["nodes"]
    assert {node.split(".")[-1] for node in nodes} == {table.name for table in tables}


def test_every_column_that_is_personal_by_name_or_description_is_tagged(
    tables: list[PublicTable],
) -> None:
    found = {
        f"{table.name}.{name}": name in table.personal
        for table in tables
        for name, description in table.columns.items()
        if PERSONAL_NAME.match(name) or PERSONAL_WORDS.search(description)
    }
    assert {"customers.email", "customers.birth_year", "sessions.anonymous_id"} <= set(found)
    untagged = {column for column, is_tagged in found.items() if not is_tagged}
    assert untagged <= IMPERSONAL


def test_what_analysts_see_holds_no_address_and_no_number(twin: Installation) -> None:
    """By content, whatever the tags say."""
    with twin.marts() as marts:
        columns = marts.execute(
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'analyst' and data_type = 'VARCHAR'"
        ).fetchall()
        tables: dict[str, list[str]] = {}
        for table, column in columns:
            tables.setdefault(table, []).append(column)
        found = []
        for table, names in tables.items():
            tests = ", ".join(f'bool_or(regexp_matches("{name}", {CONTACT}))' for name in names)
            row = marts.execute(f"select {tests} from analyst.{table}").fetchone()
            found += [f"{table}.{n}" for n, hit in zip(names, row or (), strict=True) if hit]
    assert len(columns) > 100
    assert not found


def test_the_content_test_can_fail() -> None:
    with duckdb.connect() as engine:
        query = f"select regexp_matches(?, {CONTACT})"
        for value in ("lan@example.vn", "+84912345678", "0912345678", "mailto lan@example.vn"):
            assert engine.execute(query, [value]).fetchone() == (True,)
