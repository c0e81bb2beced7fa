"""Push through OneSignal: repeating is safe, and 200 may mean that nobody was reached."""

import uuid
from typing import Any

import pytest
from fake_platforms import Platforms, batch, row

from activation.channels.onesignal import OneSignal
from khach.errors import BusyError, ConfigError
from sandbox.channels import store

FIELDS = {"title": "Sải", "body": "Đôi giày của chị vẫn đang chờ."}


@pytest.fixture
def push(platforms: Platforms) -> OneSignal:
    return channel(platforms)


def channel(platforms: Platforms) -> OneSignal:
    return OneSignal(platforms.env, {"app": platforms.variables["ONESIGNAL_APP_ID"]})


def fresh(n: int, user: str = "", **fields: str) -> Any:
    """A row whose id was never used before."""
    return row(n, user or f"U{n:05d}", row_id=uuid.uuid4().hex, **(fields or FIELDS))


def test_each_user_gets_one_message(platforms: Platforms, push: OneSignal) -> None:
    outcomes = push.send(batch(fresh(1), fresh(2), fresh(3, body="Chào anh Nam!")))
    assert [one.status for one in outcomes] == ["acknowledged"] * 3
    assert len({one.handle for one in outcomes}) == 3
    contents = {one["recipient"]: one["content"] for one in platforms.effects("onesignal")}
    assert contents == {
        "U00001": {"headings": {"en": "Sải"}, "contents": {"en": FIELDS["body"]}},
        "U00002": {"headings": {"en": "Sải"}, "contents": {"en": FIELDS["body"]}},
        "U00003": {"headings": None, "contents": {"en": "Chào anh Nam!"}},
    }


def test_success_with_an_empty_id_reached_nobody(platforms: Platforms, push: OneSignal) -> None:
    platforms.fate("onesignal", "U00011", "not_subscribed")
    nobody, somebody = push.send(batch(fresh(11), fresh(12)))
    assert (nobody.status, nobody.code) == ("rejected", "not_subscribed")
    assert nobody.message == "All included players are not subscribed"
    assert somebody.status == "acknowledged"
    assert platforms.recipients("onesignal") == ["U00012"]


def test_one_device_that_is_off_does_not_hide_the_other(
    platforms: Platforms, push: OneSignal
) -> None:
    platforms.fate("onesignal", "U00013", "half_subscribed")
    (outcome,) = push.send(batch(fresh(13)))
    assert outcome.status == "acknowledged"
    assert platforms.recipients("onesignal") == ["U00013"]


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        ("drop_after", {}),
        ("drop", {}),
        ("stall_after", {"seconds": 3}),
        ("refuse_after", {"status": 500}),
        ("refuse", {"status": 503}),
        ("refuse", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("refuse", {"status": 429}),
    ],
)
def test_a_repeat_sends_nothing_twice(
    platforms: Platforms, push: OneSignal, fault: str, detail: dict[str, Any]
) -> None:
    platforms.inject("onesignal", fault, **detail)
    assert push.send(batch(fresh(21)))[0].status == "acknowledged"
    assert len(platforms.requests("onesignal")) == 2
    assert platforms.recipients("onesignal") == ["U00021"]


def test_a_batch_cut_in_another_way_sends_nothing_twice(platforms: Platforms) -> None:
    rows = [fresh(n) for n in range(31, 37)]
    platforms.inject("onesignal", "refuse_after", status=500, count=999)
    with pytest.raises(BusyError):
        channel(platforms).send(batch(*rows))
    store.clear_faults(platforms.root)
    again = channel(platforms)
    for part in (rows[:2], rows[2:], rows):
        outcomes = again.send(batch(*part, batch_id="another"))
        assert {one.status for one in outcomes} == {"acknowledged"}
    assert platforms.recipients("onesignal") == [f"U000{n}" for n in range(31, 37)]


def test_an_answer_that_cannot_be_read_is_none(platforms: Platforms, push: OneSignal) -> None:
    again = batch(fresh(38))
    platforms.inject("onesignal", "refuse_after", status=200, body=[])
    with pytest.raises(BusyError):
        push.send(again)
    assert push.send(again)[0].status == "acknowledged"
    assert platforms.recipients("onesignal") == ["U00038"]


def test_a_refused_message_keeps_its_words_masked(platforms: Platforms, push: OneSignal) -> None:
    bad, good = push.send(batch(fresh(41, body=""), fresh(42)))
    assert (bad.status, bad.code) == ("rejected", "400")
    assert bad.message == "Message Notifications must have English language content"
    assert good.status == "acknowledged"
    words = f"U00043 never heard of {FIELDS['body']}"
    platforms.inject("onesignal", "refuse", status=400, body={"errors": [words]})
    (outcome,) = push.send(batch(fresh(43)))
    assert outcome.message == "<value> never heard of <value>"


@pytest.mark.parametrize(
    ("variable", "key"),
    [("ONESIGNAL_API_KEY", "ONESIGNAL_API_KEY"), ("ONESIGNAL_APP_ID", "remote.app")],
)
def test_a_wrong_key_or_app_is_the_configurations_fault(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch, variable: str, key: str
) -> None:
    monkeypatch.setenv(variable, "wrong")
    app = "wrong" if key == "remote.app" else platforms.variables["ONESIGNAL_APP_ID"]
    with pytest.raises(ConfigError) as caught:
        OneSignal(platforms.env, {"app": app}).send(batch(fresh(51)))
    assert caught.value.key == key
    assert platforms.effects("onesignal") == []


def test_a_row_without_an_id_would_share_its_key_with_others(
    platforms: Platforms, push: OneSignal
) -> None:
    with pytest.raises(ValueError, match="row id"):
        push.send(batch(fresh(61), row(62, "U00062", row_id="", **FIELDS)))
    assert platforms.requests("onesignal") == []
