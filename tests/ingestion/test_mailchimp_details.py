"""What Mailchimp tells besides: by the contract, adding up, and asked again only where it moved."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest
import requests
import shop_exports
from landed_data import Configure, rows_of
from mail_contract import Contract
from mail_platform import KEY, LIST, SECOND, fill, member, write_day
from vendor_contract import judged

from ingestion import rest
from ingestion.backfills import backfill
from ingestion.config import load_sources
from ingestion.run import ingest
from ingestion.sources import mailchimp_details as details
from ingestion.sources import mailchimp_reading as reading
from khach.environment import Environment
from khach.errors import ConfigError
from sandbox import mailchimp
from sandbox.mailchimp.store import subscriber_hash

ALL = ", ".join(get_args(details.Detail))
SOURCES = "sources:\n  email: {kind: mailchimp, area: email, list_id: MAILCHIMP_LIST_ID, %s}\n"
THIRD = datetime(2024, 3, 3, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A platform with two days that no test changes: its folder and its address."""
    yield from _serve(tmp_path_factory.mktemp("platform"))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The same, for one test that changes it."""
    yield from _serve(tmp_path / "sandbox")


@pytest.fixture
def platform(
    shared: tuple[Path, str], configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The shared platform, of which everything is wanted."""
    return _wanted(shared, configure, monkeypatch)


@pytest.fixture
def living(own: tuple[Path, str], configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A platform that the test may change."""
    return _wanted(own, configure, monkeypatch)


def _serve(root: Path) -> Iterator[tuple[Path, str]]:
    fill(root)
    yield root, mailchimp.start(root, KEY)["url"]
    mailchimp.stop(root)


def _wanted(
    server: tuple[Path, str], configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setattr(reading, "now", lambda _env: SECOND + timedelta(days=2))
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv("MAILCHIMP_API_URL", server[1])
    monkeypatch.setenv("MAILCHIMP_API_KEY", KEY)
    monkeypatch.setenv("MAILCHIMP_LIST_ID", LIST)
    configure(SOURCES % f"details: [{ALL}]")
    return server[0]


def counts(env: Environment) -> dict[str, int]:
    load = ingest(env, "email")
    if load is None:
        return {}
    assert all(found.rows_offered == found.rows_landed for found in load.tables.values())
    return {table: found.rows_landed for table, found in load.tables.items()}


def rows(env: Environment, table: str, columns: str) -> list[tuple[Any, ...]]:
    return rows_of(env, "email", table, columns)


def total(env: Environment, table: str, sql: str = "count(*)") -> int:
    ((found,),) = rows(env, table, sql)
    return int(found)


@pytest.mark.specs
def test_all_of_it_lands_by_the_contract_and_adds_up(
    env: Environment, platform: Path, specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE_ITEMS", 7)  # every collection on several pages
    monkeypatch.setattr(details, "FEED_ITEMS", 2)
    monkeypatch.setattr(details, "FEEDS_PER_PAGE", 10)
    with judged(Contract(specs)) as asked:
        found = counts(env)
        assert {table: found[table] for table in get_args(details.Detail)} == {
            "merge_fields": 4, "segments": 1, "segment_members": 24, "click_details": 1,
            "click_members": 3, "open_details": 10, "member_activity": 40,
        }  # fmt: skip
        assert counts(env) == {}
    assert total(env, "click_members", "sum(clicks)") == 3
    assert total(env, "click_details", "sum(total_clicks)") == 3
    opens = [row[1:] for row in rows(env, "email_activity", "action, member_id, occurred_at")
             if row[0] == "open"]  # fmt: skip
    assert sorted(rows(env, "open_details", "member_id, occurred_at")) == sorted(opens)
    feed = rows(env, "member_activity", "activity_type")
    assert {kind: feed.count((kind,)) for (kind,) in feed} == {
        "sent": 25, "open": 10, "click": 3, "bounce": 1, "unsub": 1,
    }  # fmt: skip
    item = json.loads(rows(env, "member_activity", "activity")[0][0])
    assert item["activity_type"] and item["created_at_timestamp"]
    # Neither an address nor its hash is the name of anything that was read.
    labels = [label for (label,) in rows(env, "_deliveries", "file")]
    assert not any(subscriber_hash(f"person{n:02d}@example.com") in str(labels) for n in range(25))
    assert {path for _, path in asked if "activity-feed" in path}


def test_the_next_day_asks_only_for_what_moved(
    env: Environment, living: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts(env)
    write_day(
        living,
        "2024-03-03",
        members=[member("new@example.com", THIRD, "vip")],
        campaigns=[["c3", LIST, "Sale", "Half price", "sent", THIRD, 1]],
        sends=[["c3", "new@example.com", "sent"]],
    )
    mailchimp.load_inbox(living)
    asked: list[str] = []
    get = rest.Api.get

    def noted(api: rest.Api, path: str, params: Any) -> bytes:
        asked.append(path)
        return get(api, path, params)

    monkeypatch.setattr(rest.Api, "get", noted)
    found = counts(env)
    # The new member and the one who left within the hours that overlap; nobody clicked or opened.
    assert found["segment_members"] == 25
    assert {*found} & {*get_args(details.Detail)} == {
        "segments", "segment_members", "member_activity",
    }  # fmt: skip
    assert sum("activity-feed" in path for path in asked) == 2
    assert not any("click-details" in path or "open-details" in path for path in asked)


def test_feeds_that_are_wanted_later_are_read_of_everyone(
    env: Environment, platform: Path, configure: Configure
) -> None:
    configure(SOURCES % "details: []")
    assert not {*counts(env)} & {*get_args(details.Detail)}
    assert counts(env) == {}
    configure(SOURCES % "details: [member_activity]")
    assert counts(env) == {"members": 25, "member_activity": 40}
    assert counts(env) == {}


def test_a_member_who_is_erased_meanwhile_stops_nothing(
    env: Environment, living: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = rest.Api.get
    erased = subscriber_hash("person05@example.com")

    def erasing(api: rest.Api, path: str, params: Any) -> bytes:
        if path.endswith("/activity-feed") and erased in path:
            where = f"{api._client.base_url}/lists/{LIST}/members/{erased}"
            requests.post(f"{where}/actions/delete-permanent", auth=("x", KEY), timeout=20)
        return get(api, path, params)

    monkeypatch.setattr(rest.Api, "get", erasing)
    assert counts(env)["member_activity"] == 38
    assert (erased,) not in rows(env, "member_activity", "member_id")


def test_a_backfill_reads_its_days_again_and_moves_no_cursor(
    env: Environment, platform: Path
) -> None:
    counts(env)
    (load,) = backfill(env, "email", SECOND.date(), SECOND.date())
    assert load is not None
    # One member changed on that day; the campaign was sent on the day before.
    assert load.tables["member_activity"].rows_landed == 4
    assert "click_details" not in load.tables
    (load,) = backfill(env, "email", (SECOND - timedelta(days=1)).date(), SECOND.date())
    assert load is not None
    assert load.tables["open_details"].rows_landed == 10
    assert counts(env) == {}


@pytest.mark.specs
def test_the_shop_beside_the_platform_is_read_by_the_contract(
    env: Environment, platform: Path, configure: Configure, specs: Path
) -> None:
    shop_exports.fill(platform)
    added = [
        {"event": "Product Added", "userId": f"U{n:07d}", "timestamp": "2026-06-18T03:00:00Z",
         "properties": {"cart_id": f"G{n:07d}", "product_id": "SP0001", "price": 100_000,
                        "quantity": n}}
        for n in (1, 77)
    ]  # fmt: skip
    added.append(added[0] | {"properties": added[0]["properties"] | {"cart_id": "G0000099"}})
    events = platform / "exports" / "web_events" / "events-2026-06-18.ndjson.gz"
    events.parent.mkdir()
    events.write_bytes(gzip.compress("\n".join(["{broken", *map(json.dumps, added)]).encode()))
    configure(SOURCES % "details: [], ecommerce: true")
    with judged(Contract(specs)) as asked:
        found = counts(env)
        assert counts(env) == {}
    # Cart G0000001 became an order; U0000077 has no account.
    assert {name: found[f"ecommerce_{name}"] for name in ("stores", "orders", "carts")} == {
        "stores": 1, "orders": 12, "carts": 1,
    }  # fmt: skip
    assert found["ecommerce_customers"] == 12
    assert rows(env, "ecommerce_carts", "cart_id, order_total::int") == [("G0000099", 100_000)]
    assert total(env, "ecommerce_orders", "sum(order_total)") == 12 * 400_000 - 4 * 20_000
    assert rows(env, "ecommerce_customers", "sum(total_spent)")[0][0] > Decimal(0)
    assert ("GET", "/ecommerce/stores/sai-web/carts") in asked


def test_an_unknown_detail_is_answered_with_the_known_ones(
    env: Environment, configure: Configure
) -> None:
    configure(SOURCES % "details: [cliks]")
    with pytest.raises(ConfigError, match="click_details") as caught:
        load_sources(env)
    assert caught.value.line == 2
