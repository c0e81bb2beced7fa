"""Mailchimp behind a bad line: what a fault leaves behind, and what the next run makes of it."""

import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landed_data import Configure
from mail_contract import Contract
from mail_platform import KEY, LIST, fill
from requests.adapters import HTTPAdapter
from requests.exceptions import ReadTimeout

from ingestion import rest
from ingestion.run import ingest
from khach.environment import Environment
from khach.errors import BusyError, ConfigError
from sandbox import mailchimp

SOURCES = "sources:\n  email: {kind: mailchimp, area: email, list_id: MAILCHIMP_LIST_ID}\n"
Answer = tuple[int, dict[str, str], bytes]
# What happens to a request: its path and the platform's own answer -> what is sent.
Fault = Callable[[str, Answer], Answer]


class Line:
    """A relay before the platform that applies a fault to each answer."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.fault: Fault = lambda _path, answer: answer
        self.asked: list[str] = []
        line = self

        class Relay(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                line.asked.append(self.path)
                request = urllib.request.Request(
                    line.platform + self.path,
                    headers={"Authorization": self.headers["Authorization"]},
                )
                try:
                    with urllib.request.urlopen(request) as found:
                        answer = (found.status, {}, found.read())
                except urllib.error.HTTPError as refused:
                    answer = (refused.code, {}, refused.read())
                status, headers, body = line.fault(self.path, answer)
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root: Path = tmp_path_factory.mktemp("platform")
    fill(root)
    yield mailchimp.start(root, KEY)["url"].removesuffix("/3.0")
    mailchimp.stop(root)


@pytest.fixture
def line(platform: str, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    found = Line(platform)
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv("MAILCHIMP_API_URL", f"{found.url}/3.0")
    monkeypatch.setenv("MAILCHIMP_API_KEY", KEY)
    monkeypatch.setenv("MAILCHIMP_LIST_ID", LIST)
    configure(SOURCES)
    yield found
    found.server.shutdown()
    found.server.server_close()


def landed(env: Environment, table: str) -> int:
    with duckdb.connect() as connection:
        files = f"{env.lake}/raw_email/{table}/*.parquet"
        row = connection.execute(f"select count(*) from read_parquet('{files}')").fetchone()
    return row[0] if row else 0


def first_times(times: int, instead: Answer) -> Fault:
    """A fault of the first answers of each path."""
    seen: dict[str, int] = {}

    def fault(path: str, answer: Answer) -> Answer:
        seen[path] = seen.get(path, 0) + 1
        return instead if seen[path] <= times else answer

    return fault


@pytest.mark.parametrize(
    "instead",
    [(429, {}, b"{}"), (429, {"Retry-After": "soon"}, b"{}"), (500, {}, b""), (504, {}, b"<html>")],
    ids=["429", "429 with a strange Retry-After", "500", "504"],
)
def test_a_fault_that_passes_costs_nothing(env: Environment, line: Line, instead: Answer) -> None:
    line.fault = first_times(2, instead)
    assert ingest(env, "email") is not None
    assert (landed(env, "members"), landed(env, "email_activity")) == (25, 14)
    assert ingest(env, "email") is None


def test_a_time_out_is_asked_again(
    env: Environment, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, late = HTTPAdapter.send, [2]

    def slow(adapter: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        late[0] -= 1
        if late[0] >= 0:
            raise ReadTimeout(request=request)
        return send(adapter, request, *args, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", slow)
    assert ingest(env, "email") is not None
    assert landed(env, "members") == 25
    late[0] = 100
    with pytest.raises(BusyError, match="ReadTimeout"):
        ingest(env, "email")


def test_a_key_revoked_while_it_is_read_lands_nothing(env: Environment, line: Line) -> None:
    def revoked(path: str, answer: Answer) -> Answer:
        return (401, {}, b'{"title":"API Key Invalid"}') if "/reports/" in path else answer

    line.fault = revoked
    with pytest.raises(ConfigError, match="MAILCHIMP_API_KEY is refused"):
        ingest(env, "email")
    assert not (env.lake / "raw_email").exists()
    line.fault = lambda _path, answer: answer
    ingest(env, "email")
    assert landed(env, "members") == 25


def test_a_collection_that_shrinks_while_it_is_read_lands_nothing(
    env: Environment, line: Line
) -> None:
    def shrinks(path: str, answer: Answer) -> Answer:
        if "/members" not in path:
            return answer
        page = json.loads(answer[2])
        page["members"] = page["members"][1:]
        return (answer[0], {}, json.dumps(page).encode())

    line.fault = shrinks
    with pytest.raises(BusyError, match="it changed while it was read"):
        ingest(env, "email")
    assert not (env.lake / "raw_email").exists()
    line.fault = lambda _path, answer: answer
    ingest(env, "email")
    assert landed(env, "members") == 25


@pytest.mark.specs
def test_what_the_shops_told_lands_when_it_is_wanted_and_only_when_it_moved(
    env: Environment, line: Line, configure: Configure, specs: Path
) -> None:
    pages: dict[str, Any] = {
        "/ecommerce/stores": {"stores": [{"id": "s1", "list_id": LIST, "name": "Hoa"}]},
        "/ecommerce/orders": {
            "orders": [
                {"id": "o1", "store_id": "s1", "currency_code": "VND", "order_total": 150000.5,
                 "processed_at_foreign": "2024-03-02T07:00:00+00:00",
                 "lines": [{"id": "l1", "quantity": 2}]},
            ],
        },
        "/ecommerce/stores/s1/carts": {"carts": [{"id": "c1", "order_total": 10}]},
        "/ecommerce/stores/s1/customers": {"customers": [{"id": "k1", "opt_in_status": True}]},
    }  # fmt: skip
    contract = Contract(specs)
    problems: list[str | None] = []

    def shops(path: str, answer: Answer) -> Answer:
        place = path.removeprefix("/3.0").partition("?")[0]
        if place not in pages:
            return answer
        (items,) = pages[place].values()
        body = json.dumps(pages[place] | {"total_items": len(items)}).encode()
        told = {**dict(urllib.parse.parse_qsl(path.partition("?")[2]))}
        problems.append(contract.request_problem("GET", place, told, None))
        problems.append(contract.response_problem("GET", place, 200, body, "application/json"))
        return 200, {}, body

    line.fault = shops
    ingest(env, "email")
    assert not (env.lake / "raw_email" / "ecommerce_orders").exists()
    configure(SOURCES.replace("}", ", ecommerce: true}"))
    load = ingest(env, "email")
    assert load is not None
    assert {table: found.rows_landed for table, found in load.tables.items()} == {
        "ecommerce_stores": 1, "ecommerce_orders": 1, "ecommerce_carts": 1,
        "ecommerce_customers": 1,
    }  # fmt: skip
    with duckdb.connect() as connection:
        carts = f"{env.lake}/raw_email/ecommerce_carts/*.parquet"
        orders = f"{env.lake}/raw_email/ecommerce_orders/*.parquet"
        assert connection.execute(
            f"select store_id, order_total from read_parquet('{carts}')"
        ).fetchall() == [("s1", 10)]
        assert connection.execute(
            f"select order_total, cancelled_at, lines from read_parquet('{orders}')"
        ).fetchall() == [(Decimal("150000.5"), None, '[{"id":"l1","quantity":2}]')]
    assert ingest(env, "email") is None
    pages["/ecommerce/orders"]["orders"][0]["order_total"] = 1
    load = ingest(env, "email")
    assert load is not None and set(load.tables) == {"ecommerce_orders"}
    assert problems and not any(problems)
