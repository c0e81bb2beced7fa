"""Meta: each outcome against the platform of the sandbox, formed as the core forms rows."""

import duckdb
import pytest
from fake_platforms import Platforms
from list_rows import batch, leaving, permitted, sha256

from activation.channels.base import BatchRejectedError, Channel, Outcome
from activation.channels.formats import meta
from khach.errors import BusyError, ConfigError
from sandbox.channels import lists

Members = dict[str, set[str]]


@pytest.fixture
def audience(servers: Platforms) -> Channel:
    return servers.channel("meta_ads", audience=servers.variables["META_AUDIENCE_ID"])


def held(servers: Platforms) -> Members:
    return lists.members(servers.root, "meta", servers.variables["META_AUDIENCE_ID"])


def row(identifier: str, **fields: str) -> object:
    connection = duckdb.connect()
    forms = {name: meta.FIELDS[name].format(value="?") for name in fields}
    values = {
        name: connection.execute(f"select {sql}", [fields[name]] * sql.count("?")).fetchone()
        for name, sql in forms.items()
        if fields[name]
    }
    sent = {name: found[0] if (found := values.get(name)) else "" for name in fields}
    return permitted(identifier, key(identifier), sent, channel="ads")


def key(identifier: str) -> str:
    is_email = "@" in identifier
    return ("e:" if is_email else "p:") + sha256(identifier.lstrip("+"))


def test_members_come_with_all_their_keys_and_leave_by_one(
    servers: Platforms, audience: Channel
) -> None:
    rows = [
        row("lan@example.vn", PHONE="+84912345678", FN="Ngọc Ánh", GEN="female", DOBY=""),
        row("+84912345679"),
    ]
    assert audience.upsert(batch(*rows)) == [Outcome("acknowledged")] * 2
    assert audience.upsert(batch(*rows)) == [Outcome("acknowledged")] * 2
    lan, phone = key("lan@example.vn"), key("+84912345679")
    assert held(servers) == {
        f"EXTERN_ID:{lan}": {
            f"EXTERN_ID:{lan}", f"EMAIL:{lan[2:]}", f"PHONE:{sha256('84912345678')}"
        },
        f"EXTERN_ID:{phone}": {f"EXTERN_ID:{phone}", f"PHONE:{phone[2:]}"},
    }  # fmt: skip
    gone = audience.remove(batch(leaving(lan), leaving(key("stranger@example.vn"))))
    assert gone == [Outcome("acknowledged")] * 2
    assert list(held(servers)) == [f"EXTERN_ID:{phone}"]


def test_an_invalid_entry_rejects_the_batch_and_then_itself_alone(
    servers: Platforms, audience: Channel
) -> None:
    rows = [row(f"p{n}@example.vn") for n in range(4)]
    servers.fate("meta", sha256("p2@example.vn"), "refused")
    with pytest.raises(BatchRejectedError) as caught:
        audience.upsert(batch(*rows))
    assert caught.value.outcome.message == "1 of 4 entries were invalid"
    # What the core does: halves, until the bad one stands alone; nobody is there twice.
    assert audience.upsert(batch(*rows[:2], number=2)) == [Outcome("acknowledged")] * 2
    assert audience.upsert(batch(rows[3], number=4)) == [Outcome("acknowledged")]
    with pytest.raises(BatchRejectedError) as caught:
        audience.upsert(batch(rows[2], number=3))
    assert caught.value.outcome.status == "rejected"
    assert len(held(servers)) == 3


def test_a_refused_request_is_a_rejected_batch(servers: Platforms, audience: Channel) -> None:
    body = {"error": {"code": 100, "message": "Invalid parameter for lan@example.vn"}}
    servers.inject("meta", "refuse", status=400, body=body)
    with pytest.raises(BatchRejectedError) as caught:
        audience.upsert(batch(row("lan@example.vn")))
    assert caught.value.outcome == Outcome("rejected", "100", "Invalid parameter for <email>")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_limits_and_silence_leave_rows_without_an_answer(
    servers: Platforms, audience: Channel, method: str
) -> None:
    def act() -> list[Outcome]:
        if method == "POST":
            return audience.upsert(batch(row("lan@example.vn")))
        return audience.remove(batch(leaving(key("lan@example.vn"))))

    servers.inject("meta", "throttle", method=method)
    assert [(o.status, o.code) for o in act()] == [("unanswered", "80003")]
    servers.inject("meta", "refuse", method=method, status=500, count=3)
    with pytest.raises(BusyError):
        act()
    assert held(servers) == {}


def test_a_lost_answer_is_repeated_without_harm(servers: Platforms, audience: Channel) -> None:
    servers.inject("meta", "drop_after")
    servers.inject("meta", "refuse", status=429, headers={"Retry-After": "0"})
    assert audience.upsert(batch(row("lan@example.vn"))) == [Outcome("acknowledged")]
    assert len(held(servers)) == 1
    assert len(servers.requests("meta")) == 3


def test_a_short_count_is_not_success(servers: Platforms, audience: Channel) -> None:
    servers.inject("meta", "refuse", status=200, body={"num_received": 0})
    assert audience.upsert(batch(row("lan@example.vn")))[0].status == "unknown"


def test_what_a_person_must_set_right_is_said(
    servers: Platforms, audience: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = {"error": {"code": 100, "error_subcode": 1713230, "error_user_msg": "appeal"}}
    servers.inject("meta", "refuse", status=400, body=blocked)
    with pytest.raises(ConfigError, match="appeal"):
        audience.upsert(batch(row("lan@example.vn")))
    with pytest.raises(ConfigError, match="audience"):
        servers.channel("meta_ads", audience="1").remove(batch(leaving(key("a@b.vn"))))
    monkeypatch.setenv("META_ACCESS_TOKEN", "wrong")
    with pytest.raises(ConfigError) as caught:
        servers.channel("meta_ads", audience="1").remove(batch(leaving(key("a@b.vn"))))
    assert caught.value.key == "META_ACCESS_TOKEN"


def test_a_full_batch_is_one_request(servers: Platforms, audience: Channel) -> None:
    size = audience.capabilities.batch_size
    rows = [permitted(f"p{n}@x.vn", key(f"p{n}@x.vn"), channel="ads") for n in range(size)]
    assert {outcome.status for outcome in audience.upsert(batch(*rows))} == {"acknowledged"}
    assert len(held(servers)) == size
    assert len(servers.requests("meta")) == 1
    with pytest.raises(BatchRejectedError):
        audience.upsert(batch(*rows, rows[0]))
