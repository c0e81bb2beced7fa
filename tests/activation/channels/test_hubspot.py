"""HubSpot: each outcome at the sandbox's platform, every exchange held to the contract."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fake_platforms import Platforms
from list_rows import batch, leaving, permitted, sha256
from vendor_contract import VendorContract

from activation.channels import http
from activation.channels.base import BatchRejectedError, Channel
from activation.channels.pace import Pace
from khach.environment import PROJECT
from khach.errors import BusyError, ConfigError
from sandbox.channels import lists, store

SPECS = PROJECT.parent / "shared" / "specs"


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """Every request and every answer keeps the vendor's contract."""
    judge = VendorContract(
        SPECS, "hubspot", "https://api.hubapi.com", headers={"Authorization": "Bearer x"}
    )
    problems: list[str] = []
    seen: list[tuple[str, str]] = []
    send = http.requests.Session.request

    def judged(
        session: Any, method: str, url: str, json: Mapping[str, Any] | None = None, **rest: Any
    ) -> Any:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/hubspot")
        body = http.requests.Request(method, url, json=json).prepare().body
        data = body if isinstance(body, bytes) else None
        asked = judge.request_problem(method, path, dict(parse_qsl(parts.query)), data)
        answer = send(session, method, url, json=json, **rest)
        told = judge.response_problem(
            method, path, answer.status_code, answer.content, "application/json"
        )
        problems.extend(filter(None, (asked, told)))
        seen.append((method, path))
        return answer

    monkeypatch.setattr(http.requests.Session, "request", judged)
    yield seen
    assert not problems


@pytest.fixture
def hubspot(servers: Platforms) -> Channel:
    return servers.channel("hubspot", list=servers.variables["HUBSPOT_LIST_ID"])


def person(email: str, **fields: str) -> Any:
    return permitted(email, sha256(email), fields, channel="email")


def people(count: int) -> list[Any]:
    return [person(f"p{n}@example.vn", firstname=f"Lan {n}") for n in range(count)]


def held(servers: Platforms) -> set[str]:
    return set(lists.members(servers.root, "hubspot", servers.variables["HUBSPOT_LIST_ID"]))


@pytest.mark.specs
def test_a_life_in_a_list_keeps_the_contract(
    servers: Platforms, hubspot: Channel, contract: list[tuple[str, str]]
) -> None:
    hubspot.prepare(["firstname"])
    added = hubspot.upsert(batch(*people(3)))
    ids = [outcome.handle or "" for outcome in added]
    assert [outcome.status for outcome in added] == ["acknowledged"] * 3
    assert held(servers) == set(hubspot.members()) == set(ids)
    again = hubspot.upsert(batch(*people(3)))
    assert [outcome.handle for outcome in again] == ids
    gone = hubspot.remove(batch(leaving(ids[0]), leaving("999999")))
    assert [(o.status, o.code) for o in gone] == [
        ("acknowledged", None),
        ("acknowledged", "not_held"),
    ]
    assert len({path for _, path in contract}) >= 4


@pytest.mark.specs
def test_rows_refused_in_a_207_are_told_apart(
    servers: Platforms, hubspot: Channel, contract: list[tuple[str, str]]
) -> None:
    servers.fate("hubspot", "p1@example.vn", "refused")
    outcomes = hubspot.upsert(batch(*people(3)))
    assert [outcome.status for outcome in outcomes] == ["acknowledged", "rejected", "acknowledged"]
    assert outcomes[1].code == "VALIDATION_ERROR"
    assert outcomes[1].message == "Email address <value> is invalid"
    assert held(servers) == {outcomes[0].handle, outcomes[2].handle}
    assert contract


def test_a_contact_that_went_is_not_called_a_member(servers: Platforms, hubspot: Channel) -> None:
    servers.fate("hubspot", "p0@example.vn", "missing")
    outcomes = hubspot.upsert(batch(*people(2)))
    assert [(o.status, o.code) for o in outcomes] == [
        ("rejected", "missing"),
        ("acknowledged", None),
    ]


def test_a_batch_that_one_row_spoils_is_rejected_whole(
    servers: Platforms, hubspot: Channel
) -> None:
    servers.fate("hubspot", "p1@example.vn", "spoils")
    with pytest.raises(BatchRejectedError) as caught:
        hubspot.upsert(batch(*people(2)))
    assert caught.value.outcome.message == "Invalid email address <value>"
    assert held(servers) == set()


@pytest.mark.parametrize("status", [207, 400])
def test_names_that_hubspot_repeats_are_masked(
    servers: Platforms, hubspot: Channel, status: int
) -> None:
    told = {"category": "VALIDATION_ERROR", "message": "LAN 0 is no name", "context": {}}
    body = {"results": [], "errors": [told], **({} if status == 207 else told)}
    servers.inject("hubspot", "refuse", status=status, body=body)
    try:
        (outcome,) = hubspot.upsert(batch(*people(1)))
    except BatchRejectedError as problem:
        outcome = problem.outcome
    assert outcome.code == "VALIDATION_ERROR"
    assert set(str(outcome.message).split("; ")) <= {
        "<value> is no name", "<value> is no name <value> is no name",
    }  # fmt: skip


def test_errors_that_name_nobody_are_read_by_what_is_missing(
    servers: Platforms, hubspot: Channel
) -> None:
    result = {"id": "1001", "properties": {"email": "P0@example.vn"}}
    nameless = {"category": "VALIDATION_ERROR", "message": "no", "context": {}}
    for errors, told in (([nameless], "rejected"), ([], "unknown"), ([nameless] * 2, "unknown")):
        body = {"status": "COMPLETE", "results": [result], "errors": errors}
        servers.inject("hubspot", "refuse", status=207, body=body)
        # The list does not know this contact, as the answer is made up.
        outcomes = hubspot.upsert(batch(*people(2)))
        assert [outcome.status for outcome in outcomes] == ["rejected", told]


def test_a_contact_that_no_row_is_known_by_does_not_come_into_the_list(
    servers: Platforms, hubspot: Channel
) -> None:
    (here,) = hubspot.upsert(batch(*people(1)))
    hubspot.remove(batch(leaving(here.handle or "")))
    stranger = {"id": here.handle, "properties": {"email": "other@example.vn"}}
    body = {"status": "COMPLETE", "results": [stranger]}
    servers.inject("hubspot", "refuse", status=200, body=body)
    assert hubspot.upsert(batch(person("new@example.vn")))[0].status == "unknown"
    assert held(servers) == set()


def test_a_call_list_is_keyed_by_the_e_mail_among_its_fields(
    servers: Platforms, hubspot: Channel
) -> None:
    rows = [
        permitted("+84912345678", "x", {"email": "lan@example.vn"}, channel="phone"),
        permitted("+84912345679", "y", {"email": ""}, channel="phone"),
    ]
    outcomes = hubspot.upsert(batch(*rows))
    assert [(o.status, o.code) for o in outcomes] == [
        ("acknowledged", None),
        ("rejected", "no_email"),
    ]
    connection = store.connect(servers.root)
    (contact,) = lists.documents(connection, "hubspot", "contact").values()
    connection.close()
    assert contact == {"email": "lan@example.vn", "phone": "+84912345678"}


@pytest.mark.specs
def test_a_member_known_by_address_only_is_found_and_removed(
    servers: Platforms, hubspot: Channel, contract: list[tuple[str, str]]
) -> None:
    ids = [outcome.handle or "" for outcome in hubspot.upsert(batch(*people(3)))]
    rows = [
        leaving(sha256("p0@example.vn"), "p0@example.vn"),
        leaving(ids[1]),
        leaving(sha256("x@example.vn"), "x@example.vn"),
    ]
    assert [outcome.code for outcome in hubspot.remove(batch(*rows))] == [None, None, "not_held"]
    assert held(servers) == {ids[2]}
    assert contract


def test_a_removal_of_whom_nobody_can_name_is_not_called_done(hubspot: Channel) -> None:
    unnamed = [leaving(sha256("p0@example.vn")), leaving(sha256("+84"), "+84912345678")]
    outcomes = hubspot.remove(batch(*unnamed))
    assert [(o.status, o.code) for o in outcomes] == [("rejected", "no_record_id")] * 2


def test_an_answer_that_was_lost_changes_nothing_more(servers: Platforms, hubspot: Channel) -> None:
    servers.inject("hubspot", "drop_after", method="POST")
    servers.inject("hubspot", "drop_after", method="PUT")
    outcomes = hubspot.upsert(batch(*people(2)))
    assert {outcome.handle for outcome in outcomes} == held(servers)
    assert len(held(servers)) == 2


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_silent_platform_leaves_the_rows_without_an_answer(
    servers: Platforms, hubspot: Channel, method: str
) -> None:
    servers.inject("hubspot", "refuse", method=method, status=503, count=3)
    with pytest.raises(BusyError):
        hubspot.upsert(batch(*people(2)))
    assert held(servers) == set()
    with pytest.raises(BusyError):
        hubspot.remove(batch(leaving("1001")))


def test_a_busy_platform_is_asked_again(servers: Platforms, hubspot: Channel) -> None:
    servers.inject("hubspot", "refuse", status=429, headers={"Retry-After": "0"})
    servers.inject("hubspot", "refuse", status=502)
    assert hubspot.upsert(batch(*people(1)))[0].status == "acknowledged"


def test_what_a_person_must_set_right_is_said(
    servers: Platforms, hubspot: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for list_id in ("404", "9"):
        with pytest.raises(ConfigError):
            servers.channel("hubspot", list=list_id).prepare([])
    servers.fate("hubspot", "property shoe_size", "absent")
    with pytest.raises(ConfigError, match="shoe_size"):
        hubspot.upsert(batch(person("p@example.vn", shoe_size="38")))
    monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "wrong")
    with pytest.raises(ConfigError) as caught:
        servers.channel("hubspot", list="17").upsert(batch(*people(1)))
    assert caught.value.key == "HUBSPOT_ACCESS_TOKEN"


def test_a_list_is_read_page_by_page(servers: Platforms, hubspot: Channel) -> None:
    rows = people(270)
    for start in range(0, 270, 100):
        hubspot.upsert(batch(*rows[start : start + 100]))
    assert sorted(hubspot.members()) == sorted(held(servers))
    assert len(held(servers)) == 270


def test_the_pace_is_kept_before_the_platform_must_say_so() -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(3, 10.0, clock=lambda: now[0], sleep=sleep)
    times = []
    for _ in range(8):
        pace.wait()
        times.append(now[0])
        now[0] += 1
    assert all(later - earlier >= 10 for earlier, later in zip(times, times[3:], strict=False))
    assert times[:4] == [0, 1, 2, 10]
