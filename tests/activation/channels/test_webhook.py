"""The webhook's wire format against a receiver that checks it, and one that is faulty."""

import hashlib
import hmac
import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fake_platforms import Platforms, batch, row
from hypothesis import given
from hypothesis import strategies as st

from activation.channels.base import BatchRejectedError
from activation.channels.http import JsonClient
from activation.channels.webhook import Webhook
from activation.consent import withdraw
from khach.environment import Environment
from khach.errors import BusyError, ConfigError
from sandbox.channels import store

FIELDS = {"name": "chị Lan", "item": "Sải Chạy"}


@pytest.fixture
def hook(platforms: Platforms) -> Webhook:
    return channel(platforms)


def channel(platforms: Platforms) -> Webhook:
    variables = platforms.variables
    return Webhook(
        platforms.env, {"url": variables["WEBHOOK_URL"], "secret": variables["WEBHOOK_SECRET"]}
    )


def new(*rows: Any, **more: Any) -> Any:
    """A batch whose id was never used before."""
    return batch(*rows, batch_id=uuid.uuid4().hex, **more)


def actions(platforms: Platforms) -> list[tuple[str, str, str]]:
    effects = platforms.effects("webhook")
    return [(one["kind"], one["recipient"], one["reference"]) for one in effects]


def test_each_act_arrives_under_its_name(platforms: Platforms, hook: Webhook) -> None:
    rows = [row(1, "a@example.com", **FIELDS), row(2, "b@example.com", **FIELDS)]
    assert [one.status for one in hook.upsert(new(*rows, known=("row-2",)))] == ["acknowledged"] * 2
    leaving = withdraw("c3", "row-3", "c@example.com")
    assert hook.remove(new(leaving))[0].status == "acknowledged"
    assert hook.send(new(rows[0]))[0].status == "acknowledged"
    stopped = hook.suppress(new(leaving))
    assert [(one.status, one.code) for one in stopped] == [("acknowledged", "unsubscribed")]
    assert actions(platforms) == [
        ("add", "c1", "row-1"),
        ("update", "c2", "row-2"),
        ("remove", "c3", "row-3"),
        ("message", "c1", "row-1"),
        ("suppress", "c3", "row-3"),
    ]
    contents = [one["content"] for one in platforms.effects("webhook")]
    assert contents == [FIELDS, FIELDS, {}, FIELDS, {}]


@pytest.mark.parametrize(
    ("fault", "detail", "requests"),
    [
        ("drop_after", {}, [None, 409]),
        ("drop", {}, [None, 200]),
        ("stall_after", {"seconds": 3}, [None, 409]),
        ("refuse_after", {"status": 500}, [500, 409]),
        ("refuse", {"status": 503, "headers": {"Retry-After": "1"}}, [503, 200]),
        ("refuse", {"status": 429, "headers": {"Retry-After": "1"}}, [429, 200]),
        ("refuse", {"status": 429}, [429, 200]),
    ],
)
def test_a_repeated_batch_takes_effect_once(
    platforms: Platforms, hook: Webhook, fault: str, detail: dict[str, Any], requests: list[Any]
) -> None:
    platforms.inject("webhook", fault, **detail)
    outcomes = hook.send(new(row(1, "a", **FIELDS), row(2, "b", **FIELDS)))
    assert [one.status for one in outcomes] == ["acknowledged"] * 2
    assert sorted(map(str, (one["status"] for one in platforms.requests("webhook")))) == sorted(
        map(str, requests)
    )
    assert platforms.recipients("webhook") == ["c1", "c2"]


def test_a_batch_sent_again_by_the_next_run_was_applied_before(
    platforms: Platforms, hook: Webhook
) -> None:
    once = new(row(1, "a", **FIELDS))
    platforms.inject("webhook", "refuse_after", status=504, count=99)
    with pytest.raises(BusyError):
        # Not `unanswered`: that a message was certainly not sent cannot be said.
        hook.send(once)
    store.clear_faults(platforms.root)
    assert [one.status for one in channel(platforms).send(once)] == ["acknowledged"]
    assert platforms.recipients("webhook") == ["c1"]


def test_a_membership_without_an_answer_is_settled_later(
    platforms: Platforms, hook: Webhook
) -> None:
    platforms.inject("webhook", "refuse", status=503, count=99)
    with pytest.raises(BusyError):
        hook.upsert(new(row(1, "a", **FIELDS), row(2, "b", **FIELDS)))


def test_single_rows_are_rejected_in_the_receivers_masked_words(
    platforms: Platforms, hook: Webhook
) -> None:
    words = "chị Lan (lan@example.com, 0912345678) is not wanted"
    platforms.inject("webhook", "reject", rows=[1], code="not_wanted", message=words)
    good, bad = hook.upsert(new(row(1, "a1", **FIELDS), row(2, "lan@example.com", **FIELDS)))
    assert good.status == "acknowledged"
    assert (bad.status, bad.code) == ("rejected", "not_wanted")
    assert bad.message == "<value> (<value>, <phone>) is not wanted"


def test_a_row_without_a_result_is_unknown_and_strange_results_are_nothing(
    platforms: Platforms, hook: Webhook
) -> None:
    platforms.inject("webhook", "silent", rows=[0])
    silent, told = hook.upsert(new(row(1, "a", **FIELDS), row(2, "b", **FIELDS)))
    assert (silent.status, silent.code) == ("unknown", "no_result")
    assert told.status == "acknowledged"
    platforms.inject("webhook", "strange")
    outcomes = hook.upsert(new(row(1, "a", **FIELDS), row(2, "b", **FIELDS)))
    assert [one.status for one in outcomes] == ["acknowledged"] * 2


@pytest.mark.parametrize("status", [400, 404, 413, 422, 302, 308])
def test_a_refused_batch_took_no_effect(platforms: Platforms, hook: Webhook, status: int) -> None:
    headers = {"Location": platforms.variables["WEBHOOK_URL"]} if status < 400 else {}
    body = {"message": "Chị Lan, lan@example.com, is no customer"}
    platforms.inject("webhook", "refuse", status=status, body=body, headers=headers)
    with pytest.raises(BatchRejectedError) as caught:
        hook.upsert(new(row(1, "a", **FIELDS)))
    assert caught.value.outcome.code == str(status)
    assert caught.value.outcome.message == "<value>, <email>, is no customer"
    assert platforms.effects("webhook") == []
    # A redirect is not followed: it would carry personal data to another address.
    assert len(platforms.requests("webhook")) == 1


def test_a_poisoned_row_rejects_its_batch_and_stands_alone_in_the_end(
    platforms: Platforms, hook: Webhook
) -> None:
    platforms.fate("webhook", "c7", "poison")
    with pytest.raises(BatchRejectedError):
        hook.upsert(new(row(6, "a", **FIELDS), row(7, "b", **FIELDS)))
    assert platforms.effects("webhook") == []
    assert hook.upsert(new(row(6, "a", **FIELDS)))[0].status == "acknowledged"


def test_a_wrong_secret_is_the_configurations_fault(platforms: Platforms) -> None:
    hook = Webhook(platforms.env, {"url": platforms.variables["WEBHOOK_URL"], "secret": "wrong"})
    with pytest.raises(ConfigError) as caught:
        hook.upsert(new(row(1, "a", **FIELDS)))
    assert caught.value.key == "remote.secret"
    assert platforms.effects("webhook") == []


def test_outside_prod_only_loopback_is_called(platforms: Platforms) -> None:
    with pytest.raises(ConfigError):
        Webhook(platforms.env, {"url": "https://example.com/hook", "secret": "s"})


class Recorder(HTTPServer):
    """Keeps what arrives and answers as told."""

    answers: list[tuple[int, bytes]]
    arrived: list[tuple[str, dict[str, str], bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.arrived.append((self.path, dict(self.headers), body))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder(("127.0.0.1", 0), Handler)
    server.answers, server.arrived = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_bytes_are_those_of_the_published_format(
    platforms: Platforms, recorder: Recorder
) -> None:
    url = f"http://127.0.0.1:{recorder.server_port}/hooks/?shop=1"
    hook = Webhook(platforms.env, {"url": url, "secret": "bí mật"})
    recorder.answers = [(500, b""), (200, b"{}")]
    sent = batch(row(1, "a", item="Sải", code="X"), batch_id="p1-b4")
    assert hook.upsert(sent)[0].status == "unknown"
    (path, headers, raw), (_, _, again) = recorder.arrived
    assert path == "/hooks/?shop=1"
    assert raw == again
    assert raw.decode() == (
        '{"sync_id":"sync_one","plan_id":"p1","batch_id":"p1-b4","rows":[{"row_id":"row-1",'
        '"action":"add","customer_id":"c1","fields":{"code":"X","item":"Sải"}}]}'
    )
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "p1-b4"
    signed = headers["X-Khach-Timestamp"].encode() + b"." + raw
    signature = hmac.new("bí mật".encode(), signed, hashlib.sha256).hexdigest()
    assert headers["X-Khach-Signature"] == f"v1={signature}"


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"[]", b"not json", b'{"results": 5}', b'{"results": [null, {"row_id": 1}]}',
        b'{"results": [{"row_id": "row-1", "status": "fine"}]}',
        b'{"results": [{"row_id": "row-1", "status": "ok"},'
        b' {"row_id": "row-1", "status": "rejected"}]}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 202])
def test_an_answer_that_says_nothing_leaves_the_row_unknown(
    platforms: Platforms, recorder: Recorder, answer: bytes, status: int
) -> None:
    url = f"http://127.0.0.1:{recorder.server_port}"
    hook = Webhook(platforms.env, {"url": url, "secret": "s"})
    recorder.answers = [(status, answer)]
    assert hook.upsert(batch(row(1, "a")))[0].status == "unknown"


def test_a_conflict_about_another_batch_is_a_refusal(
    platforms: Platforms, recorder: Recorder
) -> None:
    hook = Webhook(
        platforms.env, {"url": f"http://127.0.0.1:{recorder.server_port}", "secret": "s"}
    )
    recorder.answers = [(409, json.dumps({"batch_id": "another"}).encode())]
    with pytest.raises(BatchRejectedError):
        hook.upsert(batch(row(1, "a")))
    repeated = {"results": [{"row_id": "row-1", "status": "rejected", "code": "old"}]}
    recorder.answers = [(409, json.dumps(repeated).encode())]
    first, second = hook.upsert(batch(row(1, "a"), row(2, "b")))
    assert (first.status, first.code, second.status) == ("rejected", "old", "acknowledged")


@given(
    st.dictionaries(st.from_regex(r"f_[a-z_]{0,8}", fullmatch=True), st.text(max_size=20)),
    st.randoms(use_true_random=False),
)
def test_the_bytes_do_not_depend_on_the_order_of_fields(
    fields: dict[str, str], random: Any
) -> None:
    shuffled = list(fields.items())
    random.shuffle(shuffled)
    sent: list[bytes] = []

    def call(_client: Any, _method: str, _path: str, **request: Any) -> tuple[int, dict[str, Any]]:
        sent.append(request["data"])
        return 200, {}

    here = Path()
    hook = Webhook(
        Environment("sandbox", here, here, here), {"url": "http://127.0.0.1:9", "secret": "s"}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonClient, "call", call)
        for order in (dict(fields), dict(shuffled)):
            hook.send(batch(row(1, "a", **order)))
    assert sent[0] == sent[1]
    assert json.loads(sent[0])["rows"][0]["fields"] == fields
