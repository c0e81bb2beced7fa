"""TikTok: each outcome against the platform of the sandbox."""

import hashlib
from itertools import groupby
from typing import Any

import pytest
from fake_platforms import Platforms
from list_rows import permitted, sha256

from activation.channels import tiktok_ads
from activation.channels.base import Channel, Outcome
from khach.errors import BusyError, ConfigError, KhachError
from sandbox.channels import lists

LEAST = 1_000
Delivered = dict[str, set[str]]


@pytest.fixture
def tiktok(servers: Platforms) -> Channel:
    return servers.channel("tiktok_ads", **remote(servers))


def remote(servers: Platforms, **other: str) -> dict[str, str]:
    right = {
        "advertiser": servers.variables["TIKTOK_ADVERTISER_ID"],
        "audience": servers.variables["TIKTOK_AUDIENCE"],
    }
    return right | other


def email(number: int) -> str:
    return sha256(f"p{number}@x.vn")


def people(count: int, first: int = 0, **fields: str) -> list[Any]:
    return [
        permitted(f"p{n}@x.vn", f"e:{email(n)}", fields, channel="ads")
        for n in range(first, first + count)
    ]


def deliver(channel: Channel, rows: list[Any], plan: str = "p1") -> str:
    outcome = channel.replace(rows, [], "tiktok_best", plan)
    assert outcome is not None
    assert outcome.status == "submitted"
    return outcome.handle or ""


def held(servers: Platforms, audience: str) -> Delivered:
    return lists.members(servers.root, "tiktok", audience)


def states(channel: Channel, audience: str, times: int) -> list[str]:
    return [channel.poll([audience])[0].status for _ in range(times)]


def test_the_first_delivery_makes_the_audience_and_the_next_takes_its_place(
    servers: Platforms, tiktok: Channel
) -> None:
    phone = permitted("+84912345678", f"p:{sha256('84912345678')}", channel="ads")
    audience = deliver(tiktok, [*people(LEAST), phone])
    assert len(held(servers, audience)) == LEAST + 1
    assert states(tiktok, audience, 2) == ["submitted", "acknowledged"]
    # Ten left, twenty came, somebody's phone became known.
    assert deliver(tiktok, people(LEAST + 10, first=10, phone=sha256("84987654321"))) == audience
    now = held(servers, audience)
    assert set(now) == {f"email_sha256:{email(n)}" for n in range(10, LEAST + 20)}
    assert now[f"email_sha256:{email(10)}"] == {
        f"email_sha256:{email(10)}", f"phone_sha256:{sha256('84987654321')}"
    }  # fmt: skip
    assert states(tiktok, audience, 2) == ["submitted", "acknowledged"]


def test_the_same_list_is_the_same_file_in_whatever_order() -> None:
    rows = people(5)
    assert tiktok_ads._file(rows) == tiktok_ads._file(rows[::-1])
    assert tiktok_ads._file(rows[:1]) == f"Email_SHA256,Phone_SHA256\n{email(0)},\n".encode()


def test_an_audience_may_be_named_by_its_id(servers: Platforms, tiktok: Channel) -> None:
    audience = deliver(tiktok, people(LEAST))
    by_id = servers.channel("tiktok_ads", **remote(servers, audience=audience))
    assert deliver(by_id, people(LEAST, first=5)) == audience
    assert f"email_sha256:{email(0)}" not in held(servers, audience)
    with pytest.raises(ConfigError, match="does not know"):
        deliver(
            servers.channel("tiktok_ads", **remote(servers, audience="7")),
            people(LEAST),
        )


def test_too_small_a_list_is_refused_and_the_old_one_stays(
    servers: Platforms, tiktok: Channel
) -> None:
    audience = deliver(tiktok, people(LEAST))
    with pytest.raises(KhachError, match="less than 1000"):
        deliver(tiktok, people(LEAST - 1))
    assert len(held(servers, audience)) == LEAST
    assert tiktok.capabilities.least_rows == LEAST


def test_an_error_while_building_is_told_in_the_platforms_words(
    servers: Platforms, tiktok: Channel
) -> None:
    audience = deliver(tiktok, people(LEAST))
    details = {"audience_id": audience, "is_valid": False, "error_msg": "no match, lan@x.vn"}
    body = {"code": 0, "data": {"list": [{"audience_details": details}]}}
    servers.inject("tiktok", "refuse", status=200, body=body, method="GET")
    assert tiktok.poll([audience]) == [Outcome("rejected", "error_msg", "no match, <email>")]
    assert tiktok.poll(["7"])[0].code == "not_found"


def test_a_slow_audience_stays_submitted(servers: Platforms, tiktok: Channel) -> None:
    servers.inject("tiktok", "slow", skip=1, patience=3)
    audience = deliver(tiktok, people(LEAST))
    assert states(tiktok, audience, 4) == ["submitted"] * 3 + ["acknowledged"]
    servers.inject("tiktok", "refuse", status=503, count=3, method="GET")
    assert tiktok.poll([audience])[0] == Outcome(
        "submitted", "no_answer", "the platform does not answer", audience
    )


@pytest.mark.parametrize("skip", [0, 1])
def test_a_lost_answer_to_upload_or_replacement_is_repeated_without_harm(
    servers: Platforms, tiktok: Channel, skip: int
) -> None:
    audience = deliver(tiktok, people(LEAST))
    servers.inject("tiktok", "drop_after", skip=skip)
    assert deliver(tiktok, people(LEAST, first=1)) == audience
    assert set(held(servers, audience)) == {f"email_sha256:{email(n)}" for n in range(1, LEAST + 1)}


def test_a_new_audience_is_never_asked_for_twice(servers: Platforms, tiktok: Channel) -> None:
    servers.inject("tiktok", "drop_after", skip=1)
    with pytest.raises(BusyError):
        deliver(tiktok, people(LEAST))
    assert tiktok.holds("tiktok_best", "p1") is False
    again = servers.channel("tiktok_ads", **remote(servers))
    audience = deliver(again, people(LEAST))
    assert len(held(servers, audience)) == LEAST
    paths = [one["path"].rsplit("/", 2)[1] for one in servers.requests("tiktok")]
    assert paths.count("create") == 1
    # An upload that a busy machine answered too late is repeated, and does no harm.
    assert [path for path, _ in groupby(paths)] == [
        "list", "upload", "create", "list", "upload", "update"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "error"),
    [(50000, BusyError), (40002, KhachError), (40105, ConfigError)],
)
def test_failure_in_a_200_is_seen(
    servers: Platforms, tiktok: Channel, code: int, error: type[KhachError]
) -> None:
    body = {"code": code, "message": "no: lan@x.vn"}
    servers.inject("tiktok", "refuse", status=200, body=body)
    with pytest.raises(error) as caught:
        deliver(tiktok, people(LEAST))
    assert type(caught.value) is error
    assert "<email>" in caught.value.message


def test_who_asked_too_often_waits_and_asks_again_with_an_end(
    servers: Platforms, tiktok: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiktok_ads, "_PAUSES", (0.01, 0.02, 0.03))
    body = {"code": 40100, "message": "Too many requests."}
    servers.inject("tiktok", "refuse", status=200, body=body, count=2)
    audience = deliver(tiktok, people(LEAST))
    servers.inject("tiktok", "refuse", status=200, body=body, count=3, method="GET")
    with pytest.raises(BusyError):
        deliver(tiktok, people(LEAST, first=1))
    assert f"email_sha256:{email(0)}" in held(servers, audience)


def test_what_a_person_must_set_right_is_said(
    servers: Platforms, tiktok: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = {"audience_id": "1", "name": servers.variables["TIKTOK_AUDIENCE"]}
    for found, words in (([twice, twice], "several"), ([twice], "file of None")):
        body = {"code": 0, "data": {"list": found}}
        servers.inject("tiktok", "refuse", status=200, body=body, method="GET")
        with pytest.raises(ConfigError, match=words):
            deliver(tiktok, people(LEAST))
    with pytest.raises(ConfigError):
        deliver(
            servers.channel("tiktok_ads", **remote(servers, advertiser="1")),
            people(1),
        )
    monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", "wrong")
    with pytest.raises(ConfigError) as caught:
        deliver(servers.channel("tiktok_ads", **remote(servers)), people(1))
    assert caught.value.key == "TIKTOK_ACCESS_TOKEN"


def test_a_file_that_was_changed_on_the_way_is_refused(
    servers: Platforms, tiktok: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiktok_ads.hashlib, "md5", lambda content, **_: hashlib.sha256(content))
    with pytest.raises(KhachError, match="file_signature"):
        deliver(tiktok, people(LEAST))


def test_only_permitted_rows_are_delivered(tiktok: Channel) -> None:
    with pytest.raises(TypeError):
        tiktok.replace([object()], [], "s", "p")  # type: ignore[list-item]


def test_audiences_are_found_page_by_page(servers: Platforms, tiktok: Channel) -> None:
    pages = [
        {"code": 0, "data": {"list": [{"name": "other"}], "page_info": {"total_page": 2}}},
        {"code": 0, "data": {"list": [
            {"name": servers.variables["TIKTOK_AUDIENCE"], "audience_id": "7",
             "calculate_type": "MULTIPLE_TYPES"}], "page_info": {"total_page": 2}}},
    ]  # fmt: skip
    for body in pages:
        servers.inject("tiktok", "refuse", status=200, body=body, method="GET")
    with pytest.raises(KhachError, match="does not exist"):
        deliver(tiktok, people(LEAST))
