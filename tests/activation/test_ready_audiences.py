"""The audiences that come with the sandbox template, and the schema that editors get for them."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from activation.audience_file import Audience, Guards, Sync
from activation.audience_schema import FILE, audience_schema, write_schema
from activation.audiences import check_audiences, load_audiences
from activation.channels import CHANNELS
from activation.channels.capabilities import VARIABLE
from activation.contract import mart_columns
from activation.policy import load_policy
from khach.environment import Environment
from khach.init import TEMPLATES
from sandbox import control

FOLDER = TEMPLATES / "sandbox" / "audiences"
FILES = sorted(FOLDER.glob("*.yml"))


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    root = tmp_path_factory.mktemp("ready")
    config = root / "config"
    shutil.copytree(TEMPLATES / "sandbox", config)
    (root / "home").mkdir()
    return Environment("sandbox", root / "home", config, root)


def test_every_ready_audience_holds_its_examples_in_and_out(env: Environment) -> None:
    checked = {result.audience: result for result in check_audiences(env)}
    assert set(checked) == {path.stem for path in FILES}
    assert len(checked) >= 12
    assert load_policy(env).minimum_age == 16
    for audience in load_audiences(env).values():
        assert {example["in"] for example in audience.examples} == {True, False}, audience.name
        assert audience.model_fields_set >= {"owner", "description", "priority", "guards"}
        assert len(audience.description.split()) >= 5


def test_what_they_point_at_is_set_by_the_sandbox(env: Environment) -> None:
    named = {
        value
        for audience in load_audiences(env).values()
        for sync in audience.syncs
        for value in sync.remote.values()
        if VARIABLE.fullmatch(value)
    }
    platforms = control.channels.variables(
        {"url": "http://127.0.0.1:9"}, control.channels.new_keys()
    )
    assert named <= {*control.DROP_FOLDERS, "MAILCHIMP_LIST_ID", *platforms}


def test_two_offers_do_not_meet(env: Environment) -> None:
    """Carts come first: whoever may get an offer by priority 40 or later is not in the carts."""
    for audience in load_audiences(env).values():
        if audience.purpose == "marketing" and audience.priority >= 40:
            assert "cart_abandoners" in audience.exclude, audience.name


def test_the_ads_lists_do_not_take_from_each_other(env: Environment) -> None:
    book = load_audiences(env)
    priorities = {a.priority for a in book.values() if a.purpose == "advertising"}
    assert len(priorities) == 1
    assert all(a.priority < max(priorities) for a in book.values() if a.purpose != "advertising")


def test_each_file_names_the_schema_that_init_writes(env: Environment) -> None:
    for path in FILES:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == f"# yaml-language-server: $schema=../{FILE}"
    written = write_schema(env)
    assert written == env.config / FILE
    assert json.loads(written.read_text(encoding="utf-8")) == audience_schema(env)


def _problems(schema: dict[str, Any], data: Any) -> list[str]:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(data)]


def _plain(path: Path) -> Any:
    """As an editor sees the file: JSON values, dates as text."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text(encoding="utf-8")), default=str))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_schema_accepts_every_ready_audience(env: Environment, path: Path) -> None:
    assert _problems(audience_schema(env), _plain(path)) == []


_LIST = {"list": "MAILCHIMP_LIST_ID", "tag": "x"}


@pytest.mark.parametrize(
    "change",
    [
        {"were": "order_count > 0"},
        {"where": None, "model": "aud_x"},
        {"model": "aud_x"},
        {"purpose": "fun"},
        {"holdout": 1.5},
        {"guards": {"max_removal_shar": 0.1}},
        {"syncs": []},
        {"syncs": [{"id": "x", "kind": "membership", "channel": "mailchump", "remote": {}}]},
        *[
            {"syncs": [{"id": "x", "kind": "membership", "cadence": "daily", **sync}]}
            for sync in (
                {"channel": "mailchimp", "remote": {"list": "MAILCHIMP_LIST_ID"}},
                {"channel": "mailchimp", "remote": {"list": "abc123", "tag": "x"}},
                {"channel": "mailchimp", "remote": _LIST | {"audience": "X"}},
                {"channel": "mailchimp", "remote": _LIST, "fields": {"greeting": "given_name"}},
                {"channel": "mailchimp", "remote": _LIST, "consent_channel": "sms"},
                {"channel": "mailchimp", "remote": _LIST, "kind": "message"},
                {"channel": "hubspot", "remote": {"list": "HUBSPOT_LIST_ID"}},
                {
                    "channel": "twilio",
                    "remote": {"sender": "TWILIO_SENDER"},
                    "kind": "message",
                    "on_enter": {"cool_down_days": 1, "valid_for_hours": 1},
                    "fields": {},
                },
            )
        ],
        {"examples": [{"order_cont": 1, "in": True}]},
        {"examples": [{"order_count": "many", "in": True}]},
        {"examples": [{"order_count": 1}]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_cannot_be_right(env: Environment, change: dict[str, Any]) -> None:
    data = _plain(FOLDER / "existing_customers.yml") | change
    data = {key: value for key, value in data.items() if value is not None}
    if change == {"where": None, "model": "aud_x"}:
        assert _problems(audience_schema(env), data) == []
    else:
        assert _problems(audience_schema(env), data)


def test_the_schema_follows_the_model_the_registry_and_the_contract(env: Environment) -> None:
    schema = audience_schema(env)
    assert set(schema["properties"]) == set(Audience.model_fields)
    sync, guards = (schema["$defs"][model.__name__]["properties"] for model in (Sync, Guards))
    assert set(sync) == set(Sync.model_fields) and set(guards) == set(Guards.model_fields)
    assert sync["channel"]["enum"] == sorted(CHANNELS)
    columns = mart_columns(env, "customers")
    assert sync["fields"]["additionalProperties"]["anyOf"][0]["enum"] == list(columns)
    assert set(schema["properties"]["examples"]["items"]["properties"]) == {
        *columns, "in", "as_of", "segments",
    }  # fmt: skip
    for part in (schema, *schema["$defs"].values()):
        assert all(key.get("description") for key in part["properties"].values())
