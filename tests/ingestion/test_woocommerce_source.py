"""WooCommerce as a source, against the sandbox's shop: complete, incremental, by the contract."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import shop_exports as shop
from landed_data import Configure, rows_of
from vendor_contract import VendorContract, judged

from ingestion import pages, rest, verdicts
from ingestion.config import find_source
from ingestion.run import LandedLoad, check_source, ingest
from ingestion.sources import woocommerce_reading as reading
from khach.environment import Environment
from khach.errors import BusyError, ConfigError, KhachError
from sandbox import woocommerce
from sandbox.woocommerce.app import OPERATIONS

KEY, SECRET = "ck_test", "cs_test"
BASE = "/wp-json/wc/v3"


@dataclass(frozen=True)
class Installation:
    """A running shop, and an installation that reads it."""

    root: Path
    url: str
    env: Environment

    def counts(self) -> dict[str, int]:
        load = self.ingest()
        return {} if load is None else {t: c.rows_landed for t, c in load.tables.items()}

    def ingest(self) -> LandedLoad | None:
        return ingest(self.env, "shop")

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        return rows_of(self.env, "shop", table, columns)

    def delete(self, path: str) -> None:
        answer = requests.delete(f"{self.url}{BASE}/{path}", auth=(KEY, SECRET), timeout=20)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A shop of twelve orders: its folder and its address. Tests that change it fill it anew."""
    root = tmp_path_factory.mktemp("shop")
    shop.fill(root)
    running = woocommerce.start(root, KEY, SECRET)
    yield root, running["url"].removesuffix(BASE)
    woocommerce.stop(root)


@pytest.fixture
def installation(
    server: tuple[Path, str],
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Installation:
    """Nothing ingested yet; the shop as it was filled."""
    root, url = server
    for file in [*root.glob("exports/web_shop/*"), root / "woocommerce" / "bin.json"]:
        file.unlink(missing_ok=True)
    shop.write_day(root, "2026-01-01")  # the server reads its files anew when the day moves
    requests.get(f"{url}{BASE}/products", auth=(KEY, SECRET), timeout=20)
    shop.fill(root)
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    return connected(env, configure, monkeypatch, root, url)


def connected(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch, root: Path, url: str
) -> Installation:
    monkeypatch.setenv("WOOCOMMERCE_URL", url)
    monkeypatch.setenv("WOOCOMMERCE_KEY", KEY)
    monkeypatch.setenv("WOOCOMMERCE_SECRET", SECRET)
    configure("sources:\n  shop: {kind: woocommerce, area: web, currency: VND}\n")
    return Installation(root, url, env)


def woocommerce_contract(specs: Path) -> VendorContract:
    headers = {"Authorization": "Basic eDp5"}
    return VendorContract(specs, "woocommerce", "https://example.com", headers=headers)


def test_everything_lands_once_and_a_second_run_finds_nothing(installation: Installation) -> None:
    load = installation.ingest()
    assert load is not None
    assert {t: (c.rows_offered, c.rows_landed) for t, c in load.tables.items()} == {
        "orders": (12, 12), "order_refunds": (1, 1), "customers": (5, 5), "products": (3, 3),
    }  # fmt: skip
    assert installation.ingest() is None
    refunds = installation.rows(
        "order_refunds", "id, order_id, amount::int, date_created_gmt::text"
    )
    assert refunds == [("1", "2", 150_000, "2026-06-19 05:00:00")]
    columns = "id, number, status, total::int, customer_id, date_paid_gmt::text"
    orders = installation.rows("orders", columns)
    assert orders[0] == ("1", "W0000001", "processing", 400_000, "1", None)
    assert ("4", "W0000004", "processing", 400_000, "4", "2026-06-04 03:00:00") in orders
    assert installation.rows("customers", "count(distinct id)") == [(5,)]


def test_small_pages_land_the_same_rows(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PER_PAGE", 2)
    monkeypatch.setattr(pages, "PAGES_PER_COPY", 2)
    assert installation.counts() == {
        "orders": 12, "order_refunds": 1, "customers": 5, "products": 3,
    }  # fmt: skip
    assert installation.rows("orders", "count(distinct id), count(distinct _file)") == [(12, 6)]


def test_the_next_day_brings_what_changed_and_new_refunds(installation: Installation) -> None:
    installation.ingest()
    later = "2026-06-20 11:00:00"
    shop.write_day(
        installation.root,
        "2026-06-20",
        orders=[shop.order(3, "returned", "2026-06-03 10:00:00", later, user=3),
                shop.order(13, "paid", later, later)],
        order_lines=[shop.line(90, 13, 3, 1)],
        refunds=[["WR00000002", "W0000003", 380_000, later]],
    )  # fmt: skip
    # The overlap reads order 2 again, refunded within its hours; nobody's refund is read twice.
    assert installation.counts() == {"orders": 3, "order_refunds": 1}
    assert installation.ingest() is None


def test_what_was_deleted_is_found_by_comparing_keys(installation: Installation) -> None:
    installation.ingest()
    installation.delete("orders/7")
    installation.delete("customers/5")
    # Accounts are listed whole each time; orders are compared when seven days have passed.
    assert installation.counts() == {"customers": 5}
    gone = installation.rows("customers", "id, _is_deleted")
    assert ("5", True) in gone and len([one for one in gone if one[1]]) == 1
    assert installation.ingest() is None
    shop.write_day(installation.root, "2026-06-27")
    assert installation.counts()["orders"] == 2  # the overlap's one, and the tombstone
    tombstones = [
        row for row in installation.rows(
            "orders", "id, number, date_modified_gmt::text, _is_deleted") if row[3]
    ]  # fmt: skip
    assert tombstones == [("7", None, "2026-06-27 19:00:00", True)]
    assert installation.ingest() is None


def test_a_missed_order_is_found_by_comparing_keys(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = rest.Api.send

    def blind(api: rest.Api, method: Any, path: str, **kwargs: Any) -> rest.Answer:
        """As if order 6 had slipped from page to page."""
        answer = send(api, method, path, **kwargs)
        if path == "orders":
            orders = [one for one in json.loads(answer.body) if one["id"] != 6]
            answer.headers["X-WP-Total"] = str(len(orders))
            return rest.Answer(json.dumps(orders).encode(), answer.headers)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(rest.Api, "send", blind)
        assert installation.counts()["orders"] == 11
    shop.write_day(installation.root, "2026-06-27")
    installation.ingest()
    assert installation.rows("orders", "count(distinct id)") == [(12,)]


def test_a_rejected_load_is_read_again_with_its_refunds(installation: Installation) -> None:
    first = installation.ingest()
    assert first is not None
    verdicts.reject(installation.env, "shop", first.load_id, "test", "a bad day")
    again = installation.ingest()
    assert again is not None and again.tables == first.tables


def test_days_read_again_leave_the_cursor_alone(installation: Installation) -> None:
    from datetime import date

    from ingestion.backfills import backfill

    installation.ingest()
    loads = backfill(installation.env, "shop", date(2026, 6, 3), date(2026, 6, 5))
    assert [{t: c.rows_landed for t, c in load.tables.items()} for load in loads] == [
        {"orders": 3, "products": 0}
    ]
    assert installation.ingest() is None


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        (("WOOCOMMERCE_SECRET", "cs_old"), (ConfigError, "WOOCOMMERCE_SECRET is refused")),
        (("WOOCOMMERCE_URL", ""), (ConfigError, "WOOCOMMERCE_URL is not set")),
        (("WOOCOMMERCE_URL", "http://shop.example"), (ConfigError, "not an https")),
        (("WOOCOMMERCE_URL", "http://127.0.0.1:9"), (BusyError, "no answer")),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_lands(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    setting: tuple[str, str],
    error: Any,
) -> None:
    monkeypatch.setenv(*setting)
    with pytest.raises(error[0], match=error[1]) as caught:
        installation.ingest()
    assert "cs_" not in str(caught.value)
    assert not (installation.env.lake / "raw_shop").exists()


def test_the_check_counts_what_the_key_shows(installation: Installation) -> None:
    items = check_source(installation.env, find_source(installation.env, "shop"))
    assert [item.found for item in items] == ["12 orders", "3 products", "5 customers"]


@pytest.mark.specs
def test_every_exchange_keeps_the_contract(
    installation: Installation, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = woocommerce_contract(specs)
    assert contract.operations >= OPERATIONS
    monkeypatch.setattr(reading, "PER_PAGE", 5)
    with judged(contract, prefix=BASE) as seen:
        installation.ingest()
        installation.delete("orders/8")
        shop.write_day(installation.root, "2026-06-28")
        installation.ingest()
        items = check_source(installation.env, find_source(installation.env, "shop"))
        assert [item.problem for item in items if item.problem] == []
    assert len(seen) > 12 and ("GET", f"{BASE}/orders/2/refunds") in seen
    refused = requests.get(f"{installation.url}{BASE}/orders", auth=("a", "b"), timeout=20)
    assert refused.status_code == 401
    place = (f"{BASE}/orders", 401, refused.content, "application/json")
    assert contract.response_problem("GET", *place) is None


@pytest.mark.specs
def test_the_judge_can_fail(installation: Installation, specs: Path) -> None:
    contract = woocommerce_contract(specs)
    assert contract.request_problem("GET", f"{BASE}/orders", {"per_page": "many"}, None)
    assert contract.request_problem("GET", f"{BASE}/orders", {"orderby": "mood"}, None)
    assert contract.request_problem("GET", f"{BASE}/ordres", {}, None)
    assert contract.request_problem("POST", f"{BASE}/orders", {}, b"12345")
    answer = requests.get(f"{installation.url}{BASE}/orders", auth=(KEY, SECRET), timeout=20)
    for key, wrong in (("id", "x"), ("total", 5), ("line_items", {}), ("totals", "1")):
        body = json.dumps([answer.json()[0] | {key: wrong}]).encode()
        place = (f"{BASE}/orders", 200, body, "application/json")
        assert contract.response_problem("GET", *place), key


# A vendor on a bad day: each request is answered by the next of a list, then always by the last.
Bad = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def bad_day(
    env: Environment, configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., tuple[Installation, list[str]]]]:
    servers: list[ThreadingHTTPServer] = []

    def start(*answers: tuple[int, dict[str, str], bytes]) -> tuple[Installation, list[str]]:
        asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = answers[min(len(asked), len(answers) - 1)]
                asked.append(self.path)
                self.send_response(status)
                length = headers.get("Content-Length", str(len(body)))
                for name, value in {**headers, "Content-Length": length}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: Any) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
        url = f"http://127.0.0.1:{server.server_port}"
        return connected(env, configure, monkeypatch, tmp_path, url), asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


NONE = {"X-WP-Total": "0", "X-WP-TotalPages": "0"}
EMPTY = (200, NONE, b"[]")


def test_a_busy_shop_is_asked_again(bad_day: Any) -> None:
    busy = [(429, {"Retry-After": "0"}, b""), (503, {}, b""), (429, {}, b"")]
    half = (200, {**NONE, "Content-Length": "500"}, b'[{"id": 1')
    installation, asked = bad_day(*busy, half, EMPTY)
    load = installation.ingest()
    assert load is not None and load.tables["orders"].rows_offered == 0
    assert len(asked) == 4 + 3


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ([(503, {}, b"")], BusyError, "the API is busy"),
        ([(404, {}, b"{}")], KhachError, "orders answers 404"),
        ([(200, {}, b"[]")], KhachError, "without the header X-WP-Total"),
        ([(200, {"X-WP-Total": "1", "X-WP-TotalPages": "1"}, b"<b>oh@no.vn</b>[]")], BusyError,
         "not the JSON"),
        ([(200, {"X-WP-Total": "2", "X-WP-TotalPages": "1"}, b'[{"id": 1}]')], BusyError,
         "announced 2 rows and brought 1"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_trusted_lands_nothing(
    bad_day: Any, answers: Any, error: Any, message: str
) -> None:
    installation, _ = bad_day(*answers)
    with pytest.raises(error, match=message) as caught:
        installation.ingest()
    assert "oh@no" not in str(caught.value)
    assert not (installation.env.lake / "raw_shop").exists()


def test_a_shop_that_is_silent_is_not_waited_for(
    bad_day: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(rest, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(rest, "ATTEMPTS", 2)
    installation, _ = bad_day(EMPTY)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WOOCOMMERCE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(BusyError, match="no answer"):
            installation.ingest()
