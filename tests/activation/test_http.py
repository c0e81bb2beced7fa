"""Retries against a real server that answers as told."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from activation.channels.http import FaultError, JsonClient, Retries, _retry_after
from khach.errors import BusyError

FAST = Retries(attempts=4, first_pause=0.01, longest_pause=2.0, timeout=5)


class Scripted(ThreadingHTTPServer):
    """Answers with the next (status, headers) of its script, then 200; always the same body."""

    script: list[tuple[int, dict[str, str]]]
    body: bytes = b'{"ok": true}'
    times: list[float]


class Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self.server.times.append(time.monotonic())
        status, headers = self.server.script.pop(0) if self.server.script else (200, {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Scripted]:
    httpd = Scripted(("127.0.0.1", 0), Handler)
    httpd.script, httpd.times = [], []
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


def client(server: Scripted) -> JsonClient:
    return JsonClient(f"http://127.0.0.1:{server.server_port}", auth=("khach", "key"), retries=FAST)


def test_a_busy_platform_is_asked_again(server: Scripted) -> None:
    server.script = [(429, {}), (503, {}), (500, {})]
    assert client(server).call("GET", "/") == (200, {"ok": True})
    assert len(server.times) == 4


@pytest.mark.parametrize(
    ("header", "least"),
    [("Wed, 21 Oct 2099 07:28:00 -0000", 1e6), ("Wed, 21 Oct 2099 07:28:00 GMT", 1e6), (" 7 ", 7.0),
     ("Wed, 21 Oct 1999 07:28:00 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(header: str, least: float) -> None:
    assert (_retry_after(header) or 0) >= least


@pytest.mark.parametrize("header", [None, "", "soon", "²"])
def test_a_retry_after_that_says_nothing_is_none(header: str | None) -> None:
    assert _retry_after(header) is None


def test_retry_after_is_honoured(server: Scripted) -> None:
    server.script = [(429, {"Retry-After": "1"})]
    client(server).call("GET", "/")
    assert server.times[1] - server.times[0] >= 1.0


@pytest.mark.parametrize("status", [429, 503])
def test_a_longer_pause_than_ours_is_left_to_the_next_run(server: Scripted, status: int) -> None:
    server.script = [(status, {"Retry-After": "3600"})]
    asked = client(server)
    for _ in range(2):
        with pytest.raises(BusyError):
            asked.call("GET", "/")
    assert len(server.times) == 1


def test_patience_ends_and_then_every_call_fails_at_once(server: Scripted) -> None:
    server.script = [(503, {})] * 99
    asked = client(server)
    for _ in range(3):
        with pytest.raises(BusyError) as caught:
            asked.call("GET", "/")
    assert caught.value.exit_code == 4
    assert len(server.times) == FAST.attempts


def test_a_fault_of_one_request_holds_up_no_other(server: Scripted) -> None:
    asked = client(server)
    for _ in range(4):
        server.script = [(500, {})] * FAST.attempts
        with pytest.raises(FaultError):
            asked.call("GET", "/bad")
        assert asked.call("GET", "/good") == (200, {"ok": True})


def test_three_faults_in_a_row_are_the_platforms(server: Scripted) -> None:
    server.script = [(502, {})] * 99
    asked = client(server)
    kinds = []
    for _ in range(5):
        with pytest.raises(BusyError) as caught:
            asked.call("GET", "/")
        kinds.append(type(caught.value))
    assert kinds == [FaultError, FaultError, BusyError, BusyError, BusyError]
    assert len(server.times) == 3 * FAST.attempts


def test_a_refusal_is_not_repeated(server: Scripted) -> None:
    server.script = [(400, {})]
    assert client(server).call("GET", "/")[0] == 400
    assert len(server.times) == 1


@pytest.mark.parametrize(
    ("body", "whole", "as_object"),
    [
        (b"[1, 2]", [1, 2], {}),
        (b"", None, {}),
        (b"<html>", None, {}),
        (b'{"a": 1}', {"a": 1}, {"a": 1}),
    ],
)
def test_an_answer_may_be_a_list_or_nothing_and_say_more_in_its_headers(
    server: Scripted, body: bytes, whole: object, as_object: dict[str, int]
) -> None:
    server.body, server.script = body, [(202, {"X-Message-Id": "m1"})] * 2
    answer = client(server).answer("GET", "/")
    assert (answer.status, answer.body, answer.headers["x-message-id"]) == (202, whole, "m1")
    assert client(server).call("GET", "/") == (202, as_object)


def test_an_absent_platform_is_busy_and_its_address_stays_out_of_the_message() -> None:
    with pytest.raises(BusyError) as caught:
        JsonClient("http://127.0.0.1:9", auth=("khach", "key"), retries=FAST).call(
            "GET", "/members/abc"
        )
    assert "abc" not in str(caught.value)
