"""The platforms that receive messages: started when wanted, honest about what really happened."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import channels, control
from sandbox.channels import store
from sandbox.channels.app import Limits
from sandbox.channels.phones import is_mobile, is_number
from sandbox.channels.registry import VENDORS
from sandbox.channels.twilio import VENDOR as TWILIO
from sandbox.channels.vendor import Exchange


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    root = tmp_path_factory.mktemp("platforms")
    keys = channels.new_keys()
    running = channels.start(root, keys)
    yield root, channels.variables(running, keys)
    channels.stop(root)


def variables(root: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (root / "env").read_text().splitlines())


def push(values: Mapping[str, str], **more: Any) -> requests.Response:
    body = {
        "app_id": values["ONESIGNAL_APP_ID"],
        "target_channel": "push",
        "include_aliases": {"external_id": ["U1", "U2"]},
        "contents": {"en": "Chào"},
        **more,
    }
    headers = {"Authorization": f"Key {values['ONESIGNAL_API_KEY']}"}
    url = f"{values['ONESIGNAL_API_URL']}/notifications?c=push"
    return requests.post(url, json=body, headers=headers, timeout=5)


def test_the_retailer_starts_them_only_when_wanted(history: Path, tmp_path: Path) -> None:
    root = tmp_path / "sandbox"
    shutil.copytree(history, root)
    names = {name for one in VENDORS for name in one.variables("http://x", channels.new_keys())}
    try:
        assert "channels" not in control.start(root)["endpoints"]
        assert not names & variables(root).keys()
        assert "channels" in control.start(root, also=["channels"])["endpoints"]
        before = variables(root)
        assert names <= before.keys()
        assert push(before).status_code == 200
        # Those that run stay, and a restart keeps keys and what happened.
        assert "channels" in control.start(root)["endpoints"]
        happened = store.effects(root, "onesignal")
        control.stop(root)
        with pytest.raises(requests.ConnectionError):
            push(before)
        control.start(root, also=["channels"])
        after = variables(root)
        assert after["ONESIGNAL_API_KEY"] == before["ONESIGNAL_API_KEY"]
        assert store.effects(root, "onesignal") == happened
        assert [one["status"] for one in store.requests(root, "onesignal")] == [200]
    finally:
        control.stop(root)


def test_each_message_is_an_effect_of_its_own(served: tuple[Path, dict[str, str]]) -> None:
    root, values = served
    key = "6f1b1d5a-3c8f-4d4b-8a57-0d0f7a4c9a10"
    first, again = push(values, idempotency_key=key), push(values, idempotency_key=key)
    assert first.json() == again.json()
    assert push(values).json()["id"] != first.json()["id"]
    effects = store.effects(root, "onesignal")
    assert [one["recipient"] for one in effects] == ["U1", "U2", "U1", "U2"]
    assert len({one["effect_id"] for one in effects}) == 4
    assert push(values, idempotency_key="no uuid").status_code == 400
    assert push(values, include_aliases={"external_id": ["U"] * 2001}).status_code == 400
    assert push(values, target_channel="email").status_code == 400


def test_faults_meet_the_requests_they_are_meant_for(served: tuple[Path, dict[str, str]]) -> None:
    root, values = served
    store.inject(root, "onesignal", "refuse", status=503, skip=1, count=2)
    store.inject(root, "onesignal", "refuse", status=418)
    store.inject(root, "twilio", "refuse", status=500)
    assert [push(values).status_code for _ in range(5)] == [200, 503, 503, 418, 200]
    store.inject(root, "onesignal", "drop_after")
    happened = len(store.effects(root, "onesignal"))
    with pytest.raises(requests.ConnectionError):
        push(values)
    assert len(store.effects(root, "onesignal")) == happened + 2
    store.clear_faults(root)
    assert push(values).status_code == 200


def test_limits_count_requests_in_flight_and_in_a_second() -> None:
    limits = Limits(TWILIO)
    assert all(limits.enter() for _ in range(TWILIO.at_once))
    assert not limits.enter()
    limits.leave()
    limits.leave()
    assert limits.enter()


def test_only_where_a_retailer_lives_some_people_are_hard_to_reach(tmp_path: Path) -> None:
    store.prepare(tmp_path)
    shares = {"stopped": 100, "unreachable": 200}
    with closing(store.connect(tmp_path)) as connection:

        def fates(is_lifelike: bool) -> Counter[str]:
            asked = Exchange(
                connection, "twilio", "r", {}, {}, {}, {}, b"", datetime.now(UTC), is_lifelike
            )
            return Counter(asked.fate(f"+849{n:08d}", shares) for n in range(2000))

        assert fates(False) == {"fine": 2000}
        drawn = fates(True)
        assert drawn == fates(True)
        assert 150 < drawn["stopped"] < 250
        assert 330 < drawn["unreachable"] < 470
        store.set_fate(tmp_path, "twilio", "+84900000001", "chosen")
        assert fates(False)["chosen"] == 1


@pytest.mark.parametrize(
    ("digits", "as_number", "as_mobile"),
    [
        ("84912345678", True, True),
        ("84331234567", True, True),
        ("842838223344", True, False),
        ("841212345678", True, False),
        ("8491234567", False, False),
        ("0912345678", False, False),
        ("12025550142", False, False),
    ],
)
def test_mobile_numbers_have_nine_digits(digits: str, as_number: bool, as_mobile: bool) -> None:
    assert (is_number(digits), is_mobile(digits)) == (as_number, as_mobile)
