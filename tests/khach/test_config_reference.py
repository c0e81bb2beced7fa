"""docs/configuration.md and the schemas for editors tell what the models check."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from khach.cli.main import execute
from khach.config_keys import Key
from khach.config_reference import PAGE, csv_keys, file_keys, page, source_keys
from khach.config_schema import FILES, config_schema
from khach.environment import Environment
from khach.init import TEMPLATES

YAML = sorted(TEMPLATES.rglob("*.yml"))
Place = tuple[str, ...]


def _file(path: Path) -> str:
    return "audience" if path.parent.name == "audiences" else path.stem


def _plain(path: Path) -> Any:
    """As an editor sees it: dates are text, and so is every key."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


def _problems(schema: dict[str, Any], data: Any) -> list[str]:
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [error.message for error in validator.iter_errors(data)]


def _all_keys() -> dict[str, list[Key]]:
    sources = {f"sources of {kinds}": rows for kinds, rows in source_keys().items()}
    return file_keys() | sources | csv_keys()


def test_the_page_is_what_the_models_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m khach.config_reference"


def test_every_key_has_a_sentence_and_a_cell_that_markdown_can_show() -> None:
    for file, rows in _all_keys().items():
        for key in rows:
            assert len(key.sentence) >= 20, (file, key.name)
            assert key.sentence.endswith("."), (file, key.name)
            shown = re.sub("`[^`]*`", "", f"{key.sentence} {key.type} {key.default}")
            assert "<" not in shown and "\n" not in key.sentence, (file, key.name)


def _places(data: Any, place: Place = ()) -> Iterator[Place]:
    """Every key of plain data, entries of lists as `[]` at their list's name."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield (*place, str(name))
            yield from _places(value, (*place, str(name)))
    elif isinstance(data, list):
        for value in data:
            yield from _places(value, (*place[:-1], f"{place[-1]}[]"))


def _is_told(place: Place, rows: list[Key]) -> bool:
    """Whether a row has this key, or names of the retailer's stand in this place."""
    for key in rows:
        words = key.name.split(".")
        if len(words) > len(place):
            continue
        if all(word in ("*", part) for word, part in zip(words, place, strict=False)):
            deeper = len(place) - len(words)
            if deeper <= key.type.count("map: "):
                return True
        if [*words[:-1], f"{words[-1]}[]"] == list(place[:-1]) and "list: map" in key.type:
            return True
    return False


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_key_of_a_template_is_on_the_page(path: Path) -> None:
    data = _plain(path)
    if _file(path) != "sources":
        told = [(data, file_keys()[_file(path)])]
    else:
        own = source_keys()
        told = [
            (source, own[""] + rows)
            for source in data["sources"].values()
            for kinds, rows in own.items()
            if source["kind"] in kinds.split(", ")
        ]
        assert len(told) == len(data["sources"])
    for part, rows in told:
        missing = [".".join(place) for place in _places(part) if not _is_told(place, rows)]
        assert missing == []


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_the_schema_accepts_every_template(env: Environment, path: Path) -> None:
    schema = config_schema(env, _file(path))
    Draft202012Validator.check_schema(schema)
    assert _problems(schema, _plain(path)) == []


_FILES = {"kind": "files", "area": "web", "folder": "x"}
_TABLE = {"from": "*.csv", "columns": {"product_id": "id"}}


def _source(**settings: Any) -> dict[str, Any]:
    return {"sources": {"shop": {**_FILES, "tables": {"products": _TABLE}, **settings}}}


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("settings", {}),
        ("settings", {"as_of": "2026-06-30", "margin_rate": 1, "unit_costs": {"sms": 800}}),
        ("identity", {}),
        ("identity", {"identifiers": {"email": {"holders": None}}}),
        ("policy", {"suppression_list": None, "caps": []}),
        ("policy", {"suppression_list": "blocked.csv"}),
        ("sources", {"sources": {}}),
        ("sources", _source(namespaces={"member_number": "tills"})),
        ("sources", _source(tables={"products__b": {**_TABLE, "constants": {"price": 1.5}}})),
        (
            "sources",
            _source(
                tables={
                    "products": {
                        "from": "a",
                        "columns": {"product_id": 1, "brand": "b"},
                        "filter": True,
                        "values": {"brand": {"1": 2, "true": False}},
                    }
                }
            ),
        ),
    ],
    ids=str,
)
def test_the_schema_accepts_what_is_right(env: Environment, file: str, data: Any) -> None:
    from khach.config_files import parse, read_yaml

    assert _problems(config_schema(env, file), data) == []
    path = env.config / f"{file}.yml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    if file == "sources":
        from ingestion.config import load_sources

        load_sources(env)
    else:
        from activation.policy import PolicyFile
        from khach.identity_settings import IdentitySettings
        from khach.settings import Settings

        models = {"settings": Settings, "identity": IdentitySettings, "policy": PolicyFile}
        parse(read_yaml(path), models[file])


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("settings", {"thresholds": {"loyal_order_day": 3}}),
        ("settings", {"thresholds": {"email_engaged_share": 45}}),
        ("settings", {"as_of": "yesterday"}),
        ("identity", {"survivorship": {"attributes": {"emial": ["tills"]}}}),
        ("policy", {"send_windows": {"sms": "7-22"}}),
        ("sources", {"source": {}}),
        ("sources", {"sources": {"Web-Shop": _FILES}}),
        ("sources", _source(kind="flies")),
        ("sources", _source(url_env="SHOP_URL")),
        ("sources", _source(tables={"product": _TABLE})),
        ("sources", _source(tables={"products": {**_TABLE, "columns": {"sku": "id"}}})),
        ("sources", _source(tables={"products": {**_TABLE, "constants": {"prise": 1}}})),
        ("sources", {"sources": {"db": {"kind": "sql", "area": "pos", "url_env": "sqlite:x",
                                        "tables": {"products": _TABLE}}}}),
    ],
    ids=str,
)  # fmt: skip
def test_the_schema_refuses_what_cannot_be_right(env: Environment, file: str, data: Any) -> None:
    assert _problems(config_schema(env, file), data)


def test_schemas_are_printed_for_editors(env: Environment, capfd) -> None:
    for file in FILES:
        assert execute(["config", "schema", file]) == 0
        assert json.loads(capfd.readouterr().out) == config_schema(env, file)
    assert execute(["config", "schema", "setings"]) == 2
    assert "did you mean settings?" in capfd.readouterr().err
