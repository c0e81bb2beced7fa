"""Every mistake in sources.yml is named with file, line and key, and what would be right."""

import re
from pathlib import Path

import pytest
from landed_data import PAYMENTS, Configure

from ingestion.config import find_source, load_sources
from ingestion.vars import dbt_sources
from khach.environment import PROJECT, Environment
from khach.errors import ConfigError

MISTAKES = [
    ("area: web", "area: moon", 4, "area", "'web'"),
    ("area: web", "aera: web", 4, "aera", "area"),
    ("kind: files", "kind: filez", 3, "kind", "files"),
    ("payments:", "paymentz:", 8, "tables.paymentz", "payments"),
    ("amount: amount", "amuont: amount", 11, "columns.amuont", "amount"),
    ("payment_id: id, ", "", 11, "columns", "payment_id"),
    ("amount: amount", "amount: sum(amount)", 11, "columns.amount", "aggregate"),
    ("amount: amount", "amount: (select 1)", 11, "columns.amount", "subquery"),
    ("amount: amount", "amount: 1 + + )", 11, "columns.amount", "expression"),
    ("amount > 0", "amount > 0; drop table x", 10, "filter", "expression"),
    ("time_zone: Asia/Ho_Chi_Minh", "time_zone: Hanoi", 6, "time_zone", "Asia/Ho_Chi_Minh"),
    ('from: "payments*"', 'from: "payments*"\n        form: x', 10, "form", "from"),
    ("    kind: files", "    name: x\n    kind: files", 3, "name", "name"),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_line_key_and_what_would_be_right(
    env: Environment, configure: Configure, mistake: tuple[str, str, int, str, str]
) -> None:
    right, wrong, line, key, hint = mistake
    assert right in PAYMENTS
    configure(PAYMENTS.replace(right, wrong, 1))
    with pytest.raises(ConfigError) as caught:
        load_sources(env)
    assert (caught.value.line, caught.value.exit_code) == (line, 2)
    assert caught.value.file == str(env.config / "sources.yml")
    assert (caught.value.key or "").endswith(key)
    assert hint in str(caught.value)


def test_a_password_in_the_file_is_refused_and_not_repeated(
    env: Environment, configure: Configure
) -> None:
    configure(
        "sources:\n  tills:\n    kind: sql\n    area: pos\n    url_env: postgresql://a:hunter2@h/d\n"
        "    tables: {stores: {from: s, columns: {store_id: id}}}\n"
    )
    with pytest.raises(ConfigError, match="NAME of an environment variable") as caught:
        load_sources(env)
    assert caught.value.line == 5
    assert "hunter2" not in str(caught.value)


def test_an_unset_variable_in_a_folder_is_a_configuration_error(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.run import ingest

    monkeypatch.delenv("NOT_SET_HERE", raising=False)
    configure(PAYMENTS.replace("FOLDER", "${NOT_SET_HERE}/x"))
    with pytest.raises(ConfigError, match="NOT_SET_HERE is not set") as caught:
        ingest(env, "shop")
    assert caught.value.line == 5


def test_an_unknown_source_is_answered_with_the_known_ones(
    env: Environment, configure: Configure
) -> None:
    configure(PAYMENTS)
    with pytest.raises(ConfigError, match="shop"):
        find_source(env, "shopp")


def test_dbt_is_told_kind_namespace_tables_zone_and_currency(
    env: Environment, configure: Configure
) -> None:
    configure(PAYMENTS)
    assert dbt_sources(env) == [
        {
            "name": "shop",
            "kind": "files",
            "namespace": "shop",
            "area": "web",
            "tables": ["payments"],
            "landed": ["payments"],
            "time_zone": "Asia/Ho_Chi_Minh",
            "currency": None,
        }
    ]


def test_dbt_is_told_whose_numbers_a_source_shows(env: Environment, configure: Configure) -> None:
    told = "    area: web\n"
    assert told in PAYMENTS
    configure(PAYMENTS.replace(told, told + "    namespaces: {member_number: tills}\n"))
    assert dbt_sources(env)[0]["namespaces"] == {"member_number": "tills"}
    configure(PAYMENTS.replace(told, told + "    namespaces: {phone: tills}\n"))
    with pytest.raises(ConfigError, match="namespaces"):
        load_sources(env)


@pytest.mark.parametrize("template", ["sandbox", "online_retail", "cdnow", "shopify", "mailchimp"])
def test_the_templates_are_without_a_mistake(
    env: Environment, configure: Configure, template: str
) -> None:
    text = (PROJECT / "khach" / "templates" / template / "sources.yml").read_text()
    configure(text)
    assert load_sources(env)


def test_the_whole_configuration_of_online_retail_is_under_40_lines() -> None:
    folder: Path = PROJECT / "khach" / "templates" / "online_retail"
    lines = [
        line
        for path in folder.rglob("*.yml")
        for line in path.read_text().splitlines()
        if line.strip() and not re.match(r"\s*#", line)
    ]
    assert len(lines) < 40
