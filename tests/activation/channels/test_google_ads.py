"""Google: each outcome against the platform of the sandbox."""

from typing import Any

import pytest
from fake_platforms import Platforms
from list_rows import batch, leaving, permitted, sha256

from activation.channels import google_ads
from activation.channels.base import BatchRejectedError, Channel, Outcome
from khach.errors import BusyError, ConfigError
from sandbox.channels import lists

LAN = "e:" + sha256("lan@example.vn")
PHONE = "p:" + sha256("+84912345678")
ADDRESS = {
    "given_name": sha256("lan"),
    "family_name": sha256("nguyễn"),
    "region_code": "VN",
    "postal_code": "700000",
}


@pytest.fixture
def audience(servers: Platforms) -> Channel:
    return servers.channel("google_ads", **remote(servers))


def remote(servers: Platforms) -> dict[str, str]:
    account = servers.variables["GOOGLE_ADS_ACCOUNT_ID"]
    dashed = f"{account[:3]}-{account[3:6]}-{account[6:]}"
    return {"account": dashed, "audience": servers.variables["GOOGLE_ADS_AUDIENCE_ID"]}


def held(servers: Platforms) -> dict[str, set[str]]:
    return lists.members(servers.root, "google", servers.variables["GOOGLE_ADS_AUDIENCE_ID"])


def row(number: int = 0, **fields: str) -> Any:
    return permitted(f"p{number}@x.vn", "e:" + sha256(f"p{number}@x.vn"), fields, channel="ads")


def settled(audience: Channel, outcomes: list[Outcome]) -> list[Outcome]:
    handles = [outcome.handle or "" for outcome in outcomes]
    assert {outcome.status for outcome in outcomes} == {"submitted"}
    first = audience.poll(handles)
    assert first == [Outcome("submitted", handle=handle) for handle in handles]
    return audience.poll(handles)


def test_a_person_is_one_member_and_leaves_by_every_hash_that_was_sent(
    servers: Platforms, audience: Channel
) -> None:
    fields = {"email": LAN[2:], "phone": PHONE[2:], **ADDRESS}
    rows = [permitted("lan@example.vn", LAN, fields, channel="ads"), row(1, phone="")]
    told = settled(audience, audience.upsert(batch(*rows)))
    assert [outcome.status for outcome in told] == ["acknowledged"] * 2
    assert told[0].handle == f"{LAN},{PHONE}"
    assert held(servers)[f"emailAddress:{LAN[2:]}"] == {
        f"emailAddress:{LAN[2:]}", f"phoneNumber:{PHONE[2:]}"
    }  # fmt: skip
    gone = audience.remove(batch(leaving(told[0].handle or "")))
    assert [outcome.status for outcome in settled(audience, gone)] == ["acknowledged"]
    assert list(held(servers)) == [f"emailAddress:{sha256('p1@x.vn')}"]
    assert len(servers.requests("google")) == 6


def test_a_number_that_was_sent_before_leaves_with_the_member_but_is_not_sent_again(
    servers: Platforms, audience: Channel
) -> None:
    old, new = "p:" + sha256("+84911111111"), PHONE
    before = permitted("lan@example.vn", LAN, {"phone": old[2:]}, channel="ads")
    (told,) = settled(audience, audience.upsert(batch(before)))
    after = permitted("lan@example.vn", told.handle or "", {"phone": new[2:]}, channel="ads")
    lists_before = held(servers)
    (told,) = settled(audience, audience.upsert(batch(after, number=2)))
    assert told.handle == f"{LAN},{new},{old}"
    added = held(servers)[f"emailAddress:{LAN[2:]}"] - lists_before[f"emailAddress:{LAN[2:]}"]
    assert added == {f"phoneNumber:{new[2:]}"}
    settled(audience, audience.remove(batch(leaving(told.handle))))
    assert held(servers) == {}


def test_a_part_of_an_address_is_left_out(servers: Platforms, audience: Channel) -> None:
    del servers
    partial = {**ADDRESS, "postal_code": ""}
    assert audience.upsert(batch(row(1, **partial), row(2, **ADDRESS)))[0].status == "submitted"


def test_a_phone_may_be_the_key(servers: Platforms, audience: Channel) -> None:
    rows = [permitted("+84912345678", PHONE, channel="ads")]
    settled(audience, audience.upsert(batch(*rows)))
    assert list(held(servers)) == [f"phoneNumber:{PHONE[2:]}"]


@pytest.mark.parametrize(
    ("fault", "status", "members"), [("partial", "unknown", 2), ("fail", "rejected", 0)]
)
def test_failed_records_are_never_called_done(
    servers: Platforms, audience: Channel, fault: str, status: str, members: int
) -> None:
    servers.inject("google", fault, failing=1)
    told = settled(audience, audience.upsert(batch(row(1), row(2), row(3))))
    assert [outcome.status for outcome in told] == [status] * 3
    assert "INVALID_USER_IDENTIFIER" in (told[0].message or "")
    assert len(held(servers)) == members


def test_a_slow_answer_stays_submitted(servers: Platforms, audience: Channel) -> None:
    servers.inject("google", "slow", patience=3)
    (outcome,) = audience.upsert(batch(row()))
    states = [audience.poll([outcome.handle or ""])[0].status for _ in range(4)]
    assert states == ["submitted"] * 3 + ["acknowledged"]


def test_a_silent_platform_changes_nothing(servers: Platforms, audience: Channel) -> None:
    (outcome,) = audience.upsert(batch(row()))
    servers.inject("google", "refuse", status=503, count=3, method="GET")
    (asked,) = audience.poll([outcome.handle or ""])
    assert (asked.status, asked.code, asked.handle) == ("submitted", "no_answer", outcome.handle)
    fresh = servers.channel("google_ads", **remote(servers))
    servers.inject("google", "refuse", status=429, count=3)
    with pytest.raises(BusyError):
        fresh.upsert(batch(row(5)))
    assert len(held(servers)) == 1


def test_a_lost_answer_is_repeated_without_harm(servers: Platforms, audience: Channel) -> None:
    servers.inject("google", "drop_after")
    assert settled(audience, audience.upsert(batch(row())))[0].status == "acknowledged"
    assert len(held(servers)) == 1


def test_answers_that_say_nothing_are_unknown(servers: Platforms, audience: Channel) -> None:
    servers.inject("google", "refuse", status=200, body={})
    assert audience.upsert(batch(row()))[0] == Outcome("unknown", "no_request_id")
    assert audience.poll([f"forgotten {LAN}"])[0].status == "unknown"


def test_a_request_that_google_refuses_to_speak_of_is_unknown(
    servers: Platforms, audience: Channel
) -> None:
    handle = audience.upsert(batch(row()))[0].handle or ""
    error = {"status": "INVALID_ARGUMENT", "message": "not a request id"}
    servers.inject("google", "refuse", method="GET", status=400, body={"error": error})
    (told,) = audience.poll([handle])
    assert (told.status, told.code) == ("unknown", "INVALID_ARGUMENT")


def test_an_invalid_member_rejects_the_batch_and_nothing_takes_effect(
    servers: Platforms, audience: Channel
) -> None:
    servers.fate("google", f"emailAddress:{sha256('p2@x.vn')}", "refused")
    with pytest.raises(BatchRejectedError) as caught:
        audience.upsert(batch(row(1), row(2)))
    assert "INVALID_USER_IDENTIFIER" in (caught.value.outcome.message or "")
    assert held(servers) == {}


def test_what_a_person_must_set_right_is_said(
    servers: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = remote(servers)
    for wrong in ({"account": "1"}, {"audience": "1"}):
        with pytest.raises(ConfigError, match="destination"):
            servers.channel("google_ads", **(right | wrong)).remove(batch(leaving(LAN)))
    monkeypatch.setenv("GOOGLE_ADS_ACCESS_TOKEN", "wrong")
    with pytest.raises(ConfigError) as caught:
        servers.channel("google_ads", **right).upsert(batch(row()))
    assert caught.value.key == "GOOGLE_ADS_ACCESS_TOKEN"


def test_a_full_batch_is_one_request(servers: Platforms, audience: Channel) -> None:
    size = audience.capabilities.batch_size
    outcomes = audience.upsert(batch(*map(row, range(size))))
    handles = [outcome.handle or "" for outcome in outcomes]
    assert {outcome.status for outcome in audience.poll(handles)} == {"submitted"}
    assert len(held(servers)) == size
    assert len(servers.requests("google")) == 2
    with pytest.raises(BatchRejectedError):
        audience.upsert(batch(*map(row, range(size + 1))))


def test_the_platform_is_asked_no_faster_than_it_allows(
    servers: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (google_ads._PACE.calls, google_ads._PACE.seconds) == (300, 60)
    waits: list[int] = []
    monkeypatch.setattr(google_ads._PACE, "wait", lambda: waits.append(1))
    audience = servers.channel("google_ads", **remote(servers))
    (outcome,) = audience.upsert(batch(row()))
    audience.remove(batch(leaving(LAN)))
    audience.poll([outcome.handle or "", f"other {LAN}"])
    assert len(waits) == len(servers.requests("google")) == 4
