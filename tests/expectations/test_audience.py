"""Gate 3: what is about to leave, judged once more against the published customers."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from activation.identifiers import IDENTIFIERS
from expectations import audience
from khach.environment import Environment

ON = date(2026, 1, 2)


@pytest.fixture
def published(env: Environment) -> Environment:
    """Ten grown-up customers, one test customer (c8) and one child (c9)."""
    path = env.published / "s1" / "marts.duckdb"
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table customers as select 'c' || i as customer_id, i = 8 as is_test, "
            "if(i = 9, date '2015-01-01', date '1990-01-01') as birth_date from range(10) t(i)"
        )
    env.current.symlink_to("s1")
    Path(env.config / "settings.yml").write_text("minimum_age: 16\n", encoding="utf-8")
    return env


def row(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "plan_id": "p1", "row_number": number, "sync_id": "cart_email", "audience": "carts",
        "consent_channel": "email", "purpose": "marketing", "customer_id": f"c{number}",
        "action": "add", "identifier": f"p{number}@example.org", "identifier_hash": f"h{number}",
        "remote_id": f"r{number}", "payload_hash": f"x{number}", "consent_id": f"n{number}",
        "is_granted": True, "fields": [("FNAME", "chị Lan")], **changes,
    }  # fmt: skip


def table(*rows: dict[str, Any]) -> pa.Table:
    types = {"row_number": pa.int64(), "is_granted": pa.bool_(),
             "fields": pa.map_(pa.string(), pa.string())}  # fmt: skip
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    return pa.Table.from_pylist(list(rows), schema=schema)


def failed(env: Environment, rows: pa.Table) -> dict[str, Any]:
    results = audience.check(env, "p1", rows, on=ON)
    return {r.check_name.rpartition(".")[2]: r for r in results if not r.is_success}


def test_a_good_plan_passes(published: Environment) -> None:
    results = audience.check(published, "p1", table(*map(row, range(8))), on=ON)
    assert len(results) == 9
    assert all(result.is_success for result in results)


def test_every_consent_channel_has_its_form(published: Environment) -> None:
    forms = {
        "email": "p@example.org",
        "push": "U12",
        "ads": "p@example.org",
        "phone": "+84912345678",
    }
    for channel in IDENTIFIERS:
        identifier = forms.get(channel, forms["phone"])
        good = row(1, consent_channel=channel, identifier=identifier)
        assert not failed(published, table(good)), channel


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("identifier_missing", {"identifier": None}),
        ("identifier_malformed", {"identifier": "not an address"}),
        ("identifier_malformed", {"identifier": "0912345678", "consent_channel": "sms"}),
        ("identifier_malformed", {"identifier": "0912345678", "consent_channel": "phone"}),
        ("identifier_malformed", {"identifier": "a b", "consent_channel": "push"}),
        ("identifier_malformed", {"identifier": "0912345678", "consent_channel": "ads"}),
        ("consent_not_granted", {"is_granted": False, "action": "message"}),
        ("consent_not_granted", {"is_granted": False}),
        ("consent_not_granted", {"is_granted": None}),
        ("consent_not_granted", {"consent_id": None}),
        ("customer_unknown", {"customer_id": "c77"}),
        ("test_customer", {"customer_id": "c8"}),
        ("under_age", {"customer_id": "c9"}),
    ],
)
def test_one_bad_row_blocks_the_plan_and_is_named_by_its_number(
    published: Environment, rule: str, changes: dict[str, Any]
) -> None:
    found = failed(published, table(row(0, **changes)))
    assert found[rule].is_blocking
    assert found[rule].failed_count == 1
    assert "row_number in (0)" in found[rule].failing_sql
    assert "example.org" not in repr(found)


def test_an_identifier_leaves_once(published: Environment) -> None:
    twice = table(row(1, identifier="p@example.org"), row(2, identifier="p@example.org"), row(3))
    assert failed(published, twice)["identifier_twice"].failed_count == 2


def test_a_plan_larger_than_the_customer_base_blocks(published: Environment) -> None:
    many = table(*(row(n, customer_id=f"c{n % 8}") for n in range(11)))
    assert failed(published, many)["volume"].is_blocking


def test_empty_fields_only_warn(published: Environment) -> None:
    found = failed(published, table(row(1, fields=[("FNAME", "")])))
    assert {name: r.severity for name, r in found.items()} == {"field_empty": "warning"}


def test_removals_and_empty_plans_have_nothing_to_judge(published: Environment) -> None:
    removal = row(1, action="remove", identifier=None, consent_id=None, is_granted=None)
    assert audience.check(published, "p1", table(removal), on=ON) == []
    assert audience.check(published, "p1", table(row(1)).slice(0, 0), on=ON) == []
