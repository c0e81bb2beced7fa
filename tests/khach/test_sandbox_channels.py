"""Which servers of the sandbox a configuration needs."""

from pathlib import Path

import pytest

from khach.cli.servers import configured_vendors
from khach.environment import Environment


def write(env: Environment, name: str, text: str) -> Path:
    folder = env.config / "audiences"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("channel", "wanted"),
    [("twilio", ["channels"]), ("webhook", ["channels"]), ("mailchimp", []), ("file_drop", [])],
)
def test_the_platforms_are_shown_when_an_audience_is_sent_to_one(
    env: Environment, channel: str, wanted: list[str]
) -> None:
    assert configured_vendors(env) == []
    write(env, "one.yml", f"name: one\nsyncs:\n  - {{id: a, channel: {channel}}}\n")
    assert configured_vendors(env) == wanted


def test_the_platforms_are_shown_when_what_people_write_back_is_read(env: Environment) -> None:
    (env.config / "sources.yml").write_text(
        "sources:\n  texts: {kind: twilio, area: crm}\n", encoding="utf-8"
    )
    assert configured_vendors(env) == ["channels"]


@pytest.mark.parametrize("text", ["[", "", "name: x", "syncs: 5", "syncs: [5, {id: a}]", "- 1"])
def test_a_broken_audience_file_names_none_and_hides_no_other(env: Environment, text: str) -> None:
    write(env, "broken.yml", text)
    assert configured_vendors(env) == []
    write(env, "whole.yml", "syncs: [{id: a, channel: zalo_zns}]")
    assert configured_vendors(env) == ["channels"]
