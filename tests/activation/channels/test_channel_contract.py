"""What every registered channel keeps: it can do what it declares, and nobody else gets in."""

import inspect
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from fake_platforms import batch

from activation.channels import CHANNELS
from activation.channels.base import Channel
from activation.consent import withdraw
from khach.environment import Environment
from khach.errors import ConfigError

EVERY = pytest.mark.parametrize("name", sorted(CHANNELS))


def overridden(name: str) -> set[str]:
    """Methods of the base class that a channel has its own of."""
    methods = inspect.getmembers(Channel, inspect.isfunction)
    kind = CHANNELS[name]
    return {method for method, base in methods if getattr(kind, method) is not base}


@EVERY
def test_a_channel_can_do_exactly_what_it_declares(name: str) -> None:
    declared = CHANNELS[name].capabilities
    is_list = "membership" in declared.kinds and not declared.is_whole_file
    promised = {
        "__init__": True,
        "upsert": is_list,
        "remove": is_list and "mirror" in declared.modes,
        "send": "message" in declared.kinds,
        "suppress": declared.can_suppress,
        "read_back": declared.can_read_back,
        "members": declared.can_list,
        "poll": declared.is_polled,
        "matched": declared.tells_matches,
        "replace": declared.is_whole_file,
        "holds": declared.is_whole_file,
    }
    assert overridden(name) - {"prepare"} == {method for method, has in promised.items() if has}


@EVERY
def test_a_declaration_makes_sense(name: str) -> None:
    declared = CHANNELS[name].capabilities
    assert declared.kinds
    assert declared.kinds <= {"membership", "message"}
    assert declared.batch_size > 0
    assert all(declared.field_name.fullmatch(field) for field in declared.required_fields)
    assert declared.least_rows == 0 or declared.is_whole_file
    assert inspect.getdoc(inspect.getmodule(CHANNELS[name]))


@EVERY
def test_only_permitted_rows_are_sent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = make(name, tmp_path, monkeypatch)
    declared = CHANNELS[name].capabilities
    fields = {"customer_id": "c1", "identifier": "+84912345678", "fields": {"body": "x"}}
    for stranger in (fields, withdraw("c1"), None, object()):
        if "message" in declared.kinds:
            with pytest.raises(TypeError):
                channel.send(batch(stranger))
        if "membership" in declared.kinds and not declared.is_whole_file:
            with pytest.raises(TypeError):
                channel.upsert(batch(stranger))
        if declared.is_whole_file:
            with pytest.raises(TypeError):
                channel.replace([stranger], [], "s", "p")  # type: ignore[list-item]


def make(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Channel:
    """A channel whose every variable is set; no server listens at its address."""
    kind = CHANNELS[name]
    likely = {"folder": str(tmp_path), "url": "http://127.0.0.1:9/hook", "host": "127.0.0.1:9"}
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    remote: dict[str, Any] = {
        key: likely.get(key, "x") if value == "variable" else (*value, "x")[0]
        for key, value in kind.capabilities.remote.items()
    }
    env = Environment("sandbox", tmp_path, tmp_path, tmp_path)
    for _ in range(20):
        try:
            return kind(env, remote)
        except ConfigError as problem:
            assert problem.key, problem.message
            is_address = problem.key.endswith("_URL")
            value = "http://127.0.0.1:9" if is_address else "x"
            monkeypatch.setenv(problem.key, key if problem.key == "SFTP_HOST_KEY" else value)
    raise AssertionError(f"{name} is never content with its variables")
