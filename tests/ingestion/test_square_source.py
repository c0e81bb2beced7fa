"""Square as a source, against the sandbox's tills: complete, incremental, by the contract."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import shop_exports as shop
from landed_data import Configure, rows_of
from vendor_contract import VendorContract, judged

from ingestion import pages, rest
from ingestion.config import find_source
from ingestion.run import check_source, ingest
from ingestion.sources import square_reading as reading
from khach.environment import Environment
from khach.errors import BusyError, ConfigError
from sandbox import square
from sandbox.schemas import TILL_TABLES
from sandbox.square.app import OPERATIONS

TOKEN = "EAAAtest"


def write_tills(root: Path, day: str, **tables: list[list[Any]]) -> None:
    """A day's new and changed rows of the tills, in the columns of the schema (times in UTC)."""
    folder = root / "tills" / "inbox" / day
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in TILL_TABLES.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([schema.names, *tables.get(name, [])])
    shop.write_day(root, day, products=shop.PRODUCTS if tables.get("stores") else [])


def member(number: int, at: str = "2026-06-02 03:00:00") -> list[Any]:
    """A holder of the card."""
    address = f"card{number}@example.com"
    return [f"KH{number:07d}", f"Lê Thị {number}", "0912000456", address, "1985-05-06", "nữ",
            "Huế", "Vỹ Dạ", "", "CH001", at, at]  # fmt: skip


def receipt(number: int, at: str, changed: str | None = None) -> list[Any]:
    """A receipt; every third shows a card, every fifth leaves a telephone number."""
    card = f"KH{number % 4 + 1:07d}" if number % 3 == 0 else ""
    phone = "0912 000 777" if number % 5 == 0 else ""
    store = f"CH{number % 12 + 1:03d}"
    return [f"R{number:07d}", store, f"{store}-1", card, phone, "completed", at, changed or at]


def fill(root: Path) -> None:
    """Twelve stores, thirty receipts of one line, four cards, a return."""
    receipts, lines, payments = [], [], []
    for number in range(1, 31):
        at = f"2026-06-{number % 18 + 1:02d} 0{number % 9}:00:00"
        receipts.append(receipt(number, at))
        lines.append([f"RL{number:08d}", f"R{number:07d}", f"SP{number % 3 + 1:04d}", 2, 100_000,
                      20_000, 180_000, at])  # fmt: skip
        payments.append([f"RP{number:08d}", f"R{number:07d}", "cash", 180_000, at])
    stores = [[f"CH{n:03d}", f"Sải {n}", "Huế", "2026-06-01 00:00:00"] for n in range(1, 13)]
    write_tills(root, "2026-06-19", stores=stores, members=[member(n) for n in range(1, 5)],
                receipts=receipts, receipt_lines=lines, payments=payments,
                returns=[["RT0000001", "R0000007", 180_000, "2026-06-19 05:00:00"]])  # fmt: skip


@dataclass(frozen=True)
class Installation:
    """Running tills, and an installation that reads them."""

    root: Path
    url: str
    env: Environment

    def counts(self) -> dict[str, int]:
        load = ingest(self.env, "tills")
        if load is None:
            return {}
        assert all(t.rows_offered == t.rows_landed for t in load.tables.values())
        return {table: counts.rows_landed for table, counts in load.tables.items()}

    def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        return rows_of(self.env, "tills", table, columns)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The tills: their folder and their address."""
    root = tmp_path_factory.mktemp("tills")
    fill(root)
    yield root, square.start(root, TOKEN)["url"]
    square.stop(root)


@pytest.fixture
def installation(
    server: tuple[Path, str],
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Installation:
    """Nothing ingested yet; the tills as they were filled."""
    import shutil

    root, url = server
    shutil.rmtree(root / "tills")
    shutil.rmtree(root / "exports")
    write_tills(root, "2026-01-01")  # the server reads its files anew when the day moves
    requests.get(f"{url}/v2/locations", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20)
    fill(root)
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv("SQUARE_URL", url)
    monkeypatch.setenv("SQUARE_ACCESS_TOKEN", TOKEN)
    configure("sources:\n  tills: {kind: square, area: pos, currency: VND, loyalty: true}\n")
    return Installation(root, url, env)


FIRST = {
    "locations": 12, "orders": 31, "payments": 30, "refunds": 1, "customers": 4, "catalog": 4,
    "loyalty_accounts": 4,
}  # fmt: skip


def test_everything_lands_once_and_a_second_run_finds_nothing(installation: Installation) -> None:
    assert installation.counts() == FIRST
    assert installation.counts() == {}
    assert installation.rows("orders", "sum(total_amount)::int, count(distinct location_id)") == [
        (30 * 180_000, 12)
    ]
    refunds = installation.rows("refunds", "payment_id, amount_amount, created_at::text")
    assert refunds == [("RP00000007", 180_000, "2026-06-19 05:00:00")]


def test_small_pages_land_the_same_rows(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ORDERS_PER_PAGE", 3)
    monkeypatch.setattr(reading, "PER_PAGE", 2)
    monkeypatch.setattr(pages, "PAGES_PER_COPY", 2)
    assert installation.counts() == FIRST
    assert installation.rows("orders", "count(distinct id)") == [(31,)]


def test_the_next_day_brings_what_changed(installation: Installation) -> None:
    installation.counts()
    later = "2026-06-20 05:00:00"
    write_tills(
        installation.root,
        "2026-06-20",
        receipts=[receipt(31, later), receipt(3, "2026-06-04 03:00:00", later)],
        receipt_lines=[["RL00000031", "R0000031", "SP0001", 1, 50_000, 0, 50_000, later]],
        payments=[["RP00000031", "R0000031", "card", 50_000, later]],
        members=[member(2, later)],
    )
    # The overlap reads the newest of the days before again: a return, a payment, three cards.
    found = installation.counts()
    assert (found["orders"], found["payments"], found["customers"]) == (3, 2, 4)
    assert installation.counts() == {}


def test_who_is_gone_from_the_whole_list_becomes_a_tombstone(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    installation.counts()
    people = installation.root / "tills" / "inbox" / "2026-06-19" / "members.csv"
    people.write_text("".join(people.read_text().splitlines(keepends=True)[:-1]))
    write_tills(installation.root, "2026-06-20")
    installation.counts()
    assert installation.rows("customers", "count(*) filter (_is_deleted)") == [(0,)]
    assert installation.rows("loyalty_accounts", "count(*) filter (_is_deleted)") == [(1,)]
    real = reading.now
    monkeypatch.setattr(reading, "now", lambda env: real(env) + timedelta(days=8))
    installation.counts()
    gone = [row for row in installation.rows("customers", "id, _is_deleted") if row[1]]
    assert gone == [("CUST-KH0000004", True)]
    assert installation.counts() == {}


def test_what_never_came_to_be_is_marked(installation: Installation) -> None:
    """A cancelled payment and a deleted object of the catalogue, by the reader's own words."""
    from ingestion.sources.square_tables import SHAPES

    assert "CANCELED" in SHAPES["payments"].columns["_is_deleted"]
    send = rest.Api.send

    def cancelled(api: rest.Api, method: Any, path: str, **kwargs: Any) -> rest.Answer:
        answer = send(api, method, path, **kwargs)
        if path == "v2/payments":
            return rest.Answer(answer.body.replace(b'"COMPLETED"', b'"CANCELED"'), answer.headers)
        if path == "v2/catalog/list":
            body = answer.body.replace(b'"is_deleted":false', b'"is_deleted":true')
            return rest.Answer(body, answer.headers)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rest.Api, "send", cancelled)
        installation.counts()
    assert installation.rows("payments", "distinct _is_deleted") == [(True,)]
    assert installation.rows("catalog", "distinct _is_deleted") == [(True,)]
    assert installation.rows("orders", "distinct _is_deleted") == [(False,)]


def test_days_read_again_leave_the_cursor_alone(installation: Installation) -> None:
    from datetime import date

    from ingestion.backfills import backfill

    installation.counts()
    (load,) = backfill(installation.env, "tills", date(2026, 6, 3), date(2026, 6, 4))
    expected = installation.rows(
        "orders",
        "count(distinct id) filter (updated_at >= '2026-06-03' and updated_at < '2026-06-05')",
    )[0][0]
    assert load.tables["orders"].rows_landed == expected > 0
    assert installation.counts() == {}


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        (("SQUARE_ACCESS_TOKEN", "EAAAold"), (ConfigError, "SQUARE_ACCESS_TOKEN is refused")),
        (("SQUARE_URL", ""), (ConfigError, "SQUARE_URL is not set")),
        (("SQUARE_URL", "http://square.example"), (ConfigError, "not an https")),
        (("SQUARE_URL", "http://127.0.0.1.square.example"), (ConfigError, "not an https")),
        (("SQUARE_URL", "http://127.0.0.1:9"), (BusyError, "no answer")),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_lands(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, setting: Any, error: Any
) -> None:
    monkeypatch.setenv(*setting)
    with pytest.raises(error[0], match=error[1]) as caught:
        installation.counts()
    assert "EAAA" not in str(caught.value)
    assert not (installation.env.lake / "raw_tills").exists()


@pytest.mark.specs
def test_every_exchange_keeps_the_contract(
    installation: Installation, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = square_contract(specs)
    assert contract.operations >= set(OPERATIONS)
    monkeypatch.setattr(reading, "PER_PAGE", 2)
    monkeypatch.setattr(reading, "ORDERS_PER_PAGE", 10)
    with judged(contract) as seen:
        installation.counts()
        write_tills(installation.root, "2026-06-20", members=[member(9, "2026-06-20 05:00:00")])
        installation.counts()
        items = check_source(installation.env, find_source(installation.env, "tills"))
        assert [item.problem for item in items if item.problem] == []
    assert set(seen) == {(method, path) for method, path in OPERATIONS}
    # What the contract cannot say of a request: its limits, and its key.
    for path, params in (("/v2/customers", {"limit": 0}), ("/v2/payments", {"cursor": "x"})):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.get(installation.url + path, params=params, headers=headers, timeout=20)
        assert answer.status_code == 400
        body = (200, answer.content, "application/json")  # the contract has one answer only
        assert contract.response_problem("GET", path, *body) is None


@pytest.mark.specs
def test_the_judge_can_fail(installation: Installation, specs: Path) -> None:
    contract = square_contract(specs)
    for method, path in OPERATIONS:
        if method == "POST":
            assert contract.request_problem(method, path, {}, b"12345"), path
    bad = json.dumps({"location_ids": "CH001"}).encode()
    assert contract.request_problem("POST", "/v2/orders/search", {}, bad)
    assert contract.request_problem("GET", "/v2/payments", {"limit": "many"}, None)
    answer = requests.get(
        f"{installation.url}/v2/payments",
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=20,
    ).json()
    for key, wrong in (("id", 5), ("amount_money", "1"), ("order", "x")):
        body = json.dumps({"payments": [answer["payments"][0] | {key: wrong}]}).encode()
        place = ("/v2/payments", 200, body, "application/json")
        assert contract.response_problem("GET", *place), key


def square_contract(specs: Path) -> VendorContract:
    headers = {"Authorization": "Bearer x"}
    return VendorContract(specs, "square", "https://connect.squareup.com", headers=headers)
