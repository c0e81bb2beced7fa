"""SMS through Twilio: every outcome, and never a second message."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from fake_platforms import Platforms, batch, number, row
from vendor_contract import VendorContract

from activation.channels import http
from activation.channels.twilio import Twilio
from khach.environment import PROJECT
from khach.errors import ConfigError

TEXT = "Chị Lan ơi, đôi Sải Chạy vẫn đang chờ trong giỏ."


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """Every exchange keeps the vendor's published contract; methods and statuses seen."""
    contract = VendorContract(
        PROJECT.parent / "shared" / "specs",
        "twilio",
        "https://api.twilio.com",
        headers={"Authorization": "Basic eDp5"},
        loosen=_open_the_map,
    )
    seen: list[tuple[str, int]] = []
    problems: list[str] = []
    send = http.requests.Session.request

    def judging(session: Any, method: str, url: str, **rest: Any) -> Any:
        path = urlsplit(url).path.removeprefix("/twilio")
        prepared = http.requests.Request(method, url, data=rest.get("data")).prepare()
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        kind = prepared.headers.get("Content-Type", "application/json")
        problems.append(contract.request_problem(method, path, {}, body, kind) or "")
        answer = send(session, method, url, **rest)
        if answer.status_code < 300:  # the contract describes no refusal
            problem = contract.response_problem(
                method, path, answer.status_code, answer.content, "application/json"
            )
            problems.append(problem or "")
        seen.append((method, answer.status_code))
        return answer

    monkeypatch.setattr(http.requests.Session, "request", judging)
    yield seen
    assert not any(problems), problems


def _open_the_map(document: dict[str, Any]) -> None:
    """The contract gives the map of sub-resources no keys at all (`format: uri-map`)."""
    message = document["components"]["schemas"]["api.v2010.account.message"]
    message["properties"]["subresource_uris"]["additionalProperties"] = True


@pytest.fixture
def sms(platforms: Platforms) -> Twilio:
    return channel(platforms)


def channel(platforms: Platforms) -> Twilio:
    return Twilio(platforms.env, {"sender": platforms.variables["TWILIO_SENDER"]})


@pytest.mark.specs
def test_a_message_is_taken_over_and_its_way_is_told(
    platforms: Platforms, judged: list[tuple[str, int]]
) -> None:
    sms = channel(platforms)
    platforms.fate("twilio", number(2), "unreachable")
    outcomes = sms.send(batch(row(1, number(1), body=TEXT), row(2, number(2), body=TEXT)))
    assert [one.status for one in outcomes] == ["acknowledged"] * 2
    assert platforms.recipients("twilio") == [number(1), number(2)]
    handles = [str(one.handle) for one in outcomes]
    assert all(handle.startswith("SM") and len(handle) == 34 for handle in handles)
    told = [[one.status for one in sms.poll(handles)] for _ in range(3)]
    assert told == [["submitted"] * 2, ["submitted"] * 2, ["delivered", "failed"]]
    failed = sms.poll(handles)[1]
    assert (failed.code, failed.handle) == ("30003", handles[1])
    assert set(judged) == {("POST", 201), ("GET", 200)}


def test_the_text_goes_out_as_it_is(platforms: Platforms, sms: Twilio) -> None:
    sms.send(batch(row(3, number(3), body=TEXT)))
    (effect,) = platforms.effects("twilio")
    sender = platforms.variables["TWILIO_SENDER"]
    assert effect["content"] == {"from": sender, "body": TEXT}


def test_a_sender_may_be_a_number(platforms: Platforms) -> None:
    sms = Twilio(platforms.env, {"sender": "+12025550142"})
    assert sms.send(batch(row(4, number(4), body=TEXT)))[0].status == "acknowledged"
    assert platforms.effects("twilio")[0]["content"]["from"] == "+12025550142"


@pytest.mark.parametrize(
    ("identifier", "fate", "body", "code"),
    [
        ("+8491", "fine", TEXT, "21211"),
        ("+842838223344", "fine", TEXT, "21614"),
        (number(5), "stopped", TEXT, "21610"),
        (number(6), "fine", "x" * 1601, "21617"),
    ],
)
def test_a_refused_recipient_is_told_with_code_and_masked_words(
    platforms: Platforms, sms: Twilio, *, identifier: str, fate: str, body: str, code: str
) -> None:
    platforms.fate("twilio", identifier, fate)
    bad, good = sms.send(batch(row(5, identifier, body=body), row(7, number(7), body=TEXT)))
    assert (bad.status, bad.code) == ("rejected", code)
    assert bad.message
    assert identifier[3:] not in bad.message
    assert good.status == "acknowledged"
    assert platforms.recipients("twilio") == [number(7)]


@pytest.mark.parametrize(
    ("fault", "detail", "happened"),
    [
        ("drop_after", {}, 1),
        ("drop", {}, 0),
        ("stall_after", {"seconds": 3}, 1),
        ("refuse", {"status": 503}, 0),
        ("refuse_after", {"status": 500}, 1),
        ("refuse_after", {"status": 502}, 1),
    ],
)
def test_where_nobody_knows_the_message_is_unknown_and_never_repeated(
    platforms: Platforms, sms: Twilio, fault: str, detail: dict[str, Any], happened: int
) -> None:
    platforms.inject("twilio", fault, **detail)
    (outcome,) = sms.send(batch(row(8, number(8), body=TEXT)))
    assert (outcome.status, outcome.code) == ("unknown", "no_answer")
    assert len(platforms.requests("twilio")) == 1
    assert len(platforms.effects("twilio")) == happened


def test_too_many_requests_were_not_processed_and_are_repeated(
    platforms: Platforms, sms: Twilio
) -> None:
    body = {"code": 20429, "message": "Too Many Requests", "status": 429}
    platforms.inject("twilio", "refuse", status=429, body=body)
    platforms.inject("twilio", "refuse", status=429, body=body, headers={"Retry-After": "1"})
    assert sms.send(batch(row(9, number(9), body=TEXT)))[0].status == "acknowledged"
    assert [one["status"] for one in platforms.requests("twilio")] == [429, 429, 201]
    assert platforms.recipients("twilio") == [number(9)]


def test_too_many_requests_to_the_end_mean_not_sent(platforms: Platforms, sms: Twilio) -> None:
    platforms.inject("twilio", "refuse", status=429, count=99)
    outcomes = sms.send(batch(*(row(n, number(n), body=TEXT) for n in range(10, 30))))
    assert {one.status for one in outcomes} == {"unanswered"}
    assert platforms.effects("twilio") == []


def test_a_platform_that_is_not_there_got_nothing(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_API_URL", "http://127.0.0.1:9")
    outcomes = channel(platforms).send(batch(row(1, number(1), body=TEXT)))
    assert [(one.status, one.code) for one in outcomes] == [("unanswered", "no_answer")]


def test_a_sick_platform_does_not_use_up_the_audience(platforms: Platforms, sms: Twilio) -> None:
    platforms.inject("twilio", "refuse_after", status=503, count=999)
    rows = [row(n, number(n), body=TEXT) for n in range(40, 140)]
    outcomes = [one for start in range(0, 100, 20) for one in sms.send(batch(*rows[start:][:20]))]
    doubtful = [one for one in outcomes if one.status == "unknown"]
    rest = [one for one in outcomes if one.status == "unanswered"]
    assert len(doubtful) + len(rest) == 100
    assert 3 <= len(doubtful) <= 15
    # Exactly the doubtful ones may have gone out.
    assert len(platforms.effects("twilio")) == len(doubtful)


def test_a_few_doubts_among_answers_do_not_stop_the_others(
    platforms: Platforms, sms: Twilio
) -> None:
    for start in range(0, 100, 20):
        platforms.inject("twilio", "drop_after", skip=7)
        outcomes = sms.send(
            batch(*(row(n, number(n), body=TEXT) for n in range(200 + start, 220 + start)))
        )
        statuses = [one.status for one in outcomes]
        assert (statuses.count("acknowledged"), statuses.count("unknown")) == (19, 1)
    assert len(platforms.effects("twilio")) == 100


def test_a_wrong_token_is_said_before_anything_is_sent(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "0" * 32)
    sms = channel(platforms)
    with pytest.raises(ConfigError) as caught:
        sms.prepare(["body"])
    assert caught.value.key == "TWILIO_AUTH_TOKEN"
    # And a token that is withdrawn halfway refuses nobody.
    assert sms.send(batch(row(1, number(1), body=TEXT)))[0].status == "unanswered"


def test_a_good_token_passes_and_asks_for_nobodys_message(platforms: Platforms) -> None:
    channel(platforms).prepare(["body"])
    assert [one["status"] for one in platforms.requests("twilio")] == [404]


def test_a_wrong_sender_is_nobodys_refusal(platforms: Platforms) -> None:
    sms = Twilio(platforms.env, {"sender": "+12025550199"})
    (outcome,) = sms.send(batch(row(1, number(1), body=TEXT)))
    assert (outcome.status, outcome.code) == ("unanswered", "21606")


def test_asking_again_needs_patience_and_tells_what_is_lost(
    platforms: Platforms, sms: Twilio
) -> None:
    (sent,) = sms.send(batch(row(300, number(300), body=TEXT)))
    platforms.inject("twilio", "refuse", status=503, method="GET", count=1)
    nothing = "SM" + "1" * 32
    known, lost = sms.poll([str(sent.handle), nothing])
    assert known.status == "submitted"
    assert (lost.status, lost.code) == ("unknown", "not_held")
    platforms.inject("twilio", "refuse", status=503, method="GET", count=99)
    (silent,) = sms.poll([str(sent.handle)])
    assert (silent.status, silent.code) == ("submitted", "no_answer")


def test_outside_prod_only_the_sandbox_is_called(
    platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_API_URL", "https://api.twilio.com")
    with pytest.raises(ConfigError):
        channel(platforms)
    monkeypatch.delenv("TWILIO_API_URL")
    with pytest.raises(ConfigError):
        channel(platforms)
