"""Mailchimp as a source, against the sandbox's platform: complete, incremental, discreet."""

import http.server
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from landed_data import Configure
from mail_platform import FIRST, KEY, LIST, SECOND, fill, member, rows, write_day

from ingestion import pages, rest, verdicts
from ingestion.backfills import backfill
from ingestion.config import find_source
from ingestion.run import LandedLoad, check_source, ingest
from ingestion.sources import mailchimp as connector
from ingestion.sources import mailchimp_reading as reading
from khach.environment import Environment
from khach.errors import BusyError, ConfigError
from sandbox import mailchimp

SOURCES = "sources:\n  email: {kind: mailchimp, area: email, list_id: MAILCHIMP_LIST_ID}\n"
THIRD = datetime(2024, 3, 3, 7, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Account:
    """A running platform, and an installation that reads it."""

    root: Path
    env: Environment

    def ingest(self) -> LandedLoad | None:
        return ingest(self.env, "email")

    def landed(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Rows of a raw table over all loads, in a stable order."""
        files = f"{self.env.lake}/raw_email/{table}/*.parquet"
        with duckdb.connect() as connection:
            sql = f"select {columns} from read_parquet('{files}') order by all"
            return connection.execute(sql).fetchall()

    def counts(self, load: LandedLoad | None) -> dict[str, int]:
        """Rows landed per table that had a delivery."""
        assert load is not None
        return {table: found.rows_landed for table, found in load.tables.items()}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own time: two days after the last simulated one; no patience for absent servers."""
    monkeypatch.setattr(reading, "now", lambda _env: SECOND + timedelta(days=2))
    monkeypatch.setattr(rest, "BACKOFF_SECONDS", 0.01)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A platform with two simulated days that no test changes: its folder and its address."""
    yield from _serve(tmp_path_factory.mktemp("unchanged"))


@pytest.fixture
def own_platform(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The same, for one test that lets time pass."""
    yield from _serve(tmp_path / "sandbox")


@pytest.fixture
def account(
    platform: tuple[Path, str],
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    """Two simulated days at the platform, nothing ingested yet."""
    return _account(platform, env, configure, monkeypatch)


@pytest.fixture
def living(
    own_platform: tuple[Path, str],
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    """An account whose platform the test may change."""
    return _account(own_platform, env, configure, monkeypatch)


def _serve(root: Path) -> Iterator[tuple[Path, str]]:
    fill(root)
    yield root, mailchimp.start(root, KEY)["url"]
    mailchimp.stop(root)


def _account(
    platform: tuple[Path, str],
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> Account:
    monkeypatch.setenv("MAILCHIMP_API_URL", platform[1])
    monkeypatch.setenv("MAILCHIMP_API_KEY", KEY)
    monkeypatch.setenv("MAILCHIMP_LIST_ID", LIST)
    configure(SOURCES)
    return Account(platform[0], env)


def test_everything_lands_once_and_a_second_run_finds_nothing(account: Account) -> None:
    first = account.ingest()
    assert account.counts(first) == {
        "lists": 1, "members": 25, "campaigns": 2, "sent_to": 25, "email_activity": 14,
        "unsubscribes": 1, "merge_fields": 4, "segments": 1, "click_details": 1,
    }  # fmt: skip
    assert first is not None
    assert all(t.rows_offered == t.rows_landed for t in first.tables.values())
    assert account.ingest() is None
    held = rows(account.root, "select list_id, member_id, email_address, full_name, status "
                "from members order by 2")  # fmt: skip
    columns = "list_id, member_id, email_address, full_name, status"
    assert sorted(account.landed("members", columns), key=lambda row: row[1]) == held
    times = (
        "select campaign_id, member_id, action, replace(substr(occurred_at, 1, 19), 'T', ' ')"
        " from activity order by 1, 2, 3, 4"
    )
    seen = account.landed("email_activity", "campaign_id, member_id, action, occurred_at::varchar")
    assert seen == rows(account.root, times)


def test_small_pages_land_the_same_rows_as_large_ones(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {table: ", ".join(n for n in spec.columns if n[0] != "_")
             for table, spec in connector.TABLES.items()}  # fmt: skip
    account.ingest()
    large = {table: account.landed(table, columns) for table, columns in names.items()}
    places = account.landed("email_activity", "_file, _row")
    assert places == [("reports/c1/email-activity?offset=0", n) for n in range(1, 15)]
    monkeypatch.setattr(reading, "PAGE_ITEMS", 4)
    monkeypatch.setattr(pages, "PAGES_PER_COPY", 2)
    second = Account(account.root, Environment("dev", account.env.home / "again",
                     account.env.config, account.env.samples))  # fmt: skip
    load = second.ingest()
    assert load is not None
    assert all(t.rows_offered == t.rows_landed for t in load.tables.values())
    assert {table: second.landed(table, columns) for table, columns in names.items()} == large
    assert len(set(second.landed("members", "_file, _row"))) == 25
    assert len({file for (file,) in second.landed("members", "_file")}) == 7


def test_the_next_day_brings_only_what_moved(living: Account) -> None:
    living.ingest()
    write_day(
        living.root,
        "2024-03-03",
        members=[member("new@example.com", THIRD)],
        campaigns=[["c3", LIST, "Sale", "Half price", "sent", THIRD, 1]],
        sends=[["c3", "new@example.com", "sent"]],
    )
    mailchimp.load_inbox(living.root)
    load = living.ingest()
    # The overlap reads person01 again, who left within its hours.
    assert living.counts(load) == {
        "members": 2, "campaigns": 3, "sent_to": 1, "email_activity": 0, "unsubscribes": 0,
    }  # fmt: skip
    assert living.ingest() is None
    write_day(
        living.root,
        "2024-03-04",
        activity=[["c3", "new@example.com", "open", "", "", THIRD + timedelta(hours=2)]],
    )
    mailchimp.load_inbox(living.root)
    assert living.counts(living.ingest()) == {"sent_to": 1, "email_activity": 1}
    assert living.ingest() is None


def test_a_campaign_is_followed_for_its_refresh_days_only(
    living: Account, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "now", lambda _env: FIRST + timedelta(days=31))
    # Older than the limit, but never loaded: it is read once.
    assert living.counts(living.ingest())["sent_to"] == 25
    click = ["c1", "person09@example.com", "click", "", "https://shop.example", THIRD]
    write_day(living.root, "2024-03-04", activity=[click])
    mailchimp.load_inbox(living.root)
    assert living.ingest() is None
    configure(SOURCES.replace("}", ", refresh_days: 40}"))
    assert living.counts(living.ingest()) == {"email_activity": 15, "click_details": 2}


def test_a_rejected_load_is_read_again(account: Account) -> None:
    first = account.ingest()
    assert first is not None
    verdicts.reject(account.env, "email", first.load_id, "test", "a bad day")
    assert account.counts(account.ingest()) == account.counts(first)


def test_the_days_of_a_backfill_bring_their_members_and_campaigns_again(account: Account) -> None:
    counts = account.counts(account.ingest())
    day, after = FIRST.date(), SECOND.date()
    changed = Counter(row[0].date() for row in account.landed("members", "last_changed"))
    assert changed[day]
    campaigns = account.landed("campaigns", "campaign_id, send_time")
    sent = {campaign: at.date() for campaign, at in campaigns if at}
    (load,) = backfill(account.env, "email", day, day)
    again = account.counts(load)
    assert again["members"] == changed[day]
    assert again["members"] < counts["members"]
    read = {row[0] for row in account.landed("_deliveries", "file") if "sent-to" in row[0]}
    assert {one for one, on in sent.items() if on == day} <= {file.split("/")[1] for file in read}
    assert account.ingest() is None  # the cursors are where they were
    (other,) = backfill(account.env, "email", after, after)
    assert account.counts(other)["members"] == changed[after]


def test_a_value_of_the_wrong_type_goes_to_the_quarantine(living: Account) -> None:
    with closing(sqlite3.connect(living.root / "mailchimp" / "state.sqlite")) as state:
        state.execute("update members set timestamp_opt = 'soon' where email_address like '%07@%'")
        state.commit()
    load = living.ingest()
    assert load is not None
    found = load.tables["members"]
    assert (found.rows_offered, found.rows_landed, found.rows_quarantined) == (25, 24, 1)
    (file,) = living.env.quarantine.rglob("*.ndjson")
    record = json.loads(file.read_text())
    assert (record["line"], record["reason"]) == (8, "timestamp_opt is not of type timestamp")


def test_rows_lost_on_the_way_are_noticed(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = rest.Api.get

    def lossy(api: rest.Api, path: str, params: Any) -> bytes:
        page = json.loads(get(api, path, params))
        if "sent-to" in path:
            page["sent_to"].pop()
        return json.dumps(page).encode()

    monkeypatch.setattr(rest.Api, "get", lossy)
    with pytest.raises(BusyError, match="announced 25 rows and brought 24"):
        account.ingest()


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        (("MAILCHIMP_API_KEY", "wrong-us1"), (ConfigError, "email: the API key in MAILCHIMP_API")),
        (("MAILCHIMP_API_KEY", ""), (ConfigError, "MAILCHIMP_API_KEY is not set")),
        (("MAILCHIMP_API_URL", ""), (ConfigError, "MAILCHIMP_API_URL is not set")),
        (("MAILCHIMP_LIST_ID", "ffffffffff"), (ConfigError, "no list with this id")),
        (("MAILCHIMP_API_URL", "http://mail.example/3.0"), (ConfigError, "not an https")),
        (("MAILCHIMP_API_URL", "http://127.0.0.1:9/3.0"), (BusyError, "email: no answer")),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_lands(
    account: Account, monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str], error: Any
) -> None:
    monkeypatch.setenv(*setting)
    with pytest.raises(error[0], match=error[1]) as caught:
        account.ingest()
    assert KEY not in str(caught.value) and "wrong-us1" not in str(caught.value)
    assert not (account.env.lake / "raw_email").exists()


def test_the_check_names_the_list(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    config = find_source(account.env, "email")
    (item,) = check_source(account.env, config)
    assert (item.item, item.found, item.problem) == (f"list {LIST}", "Newsletter", None)
    monkeypatch.setenv("MAILCHIMP_LIST_ID", "ffffffffff")
    (item,) = check_source(account.env, config)
    assert item.problem


def test_a_busy_vendor_is_asked_again_and_then_reported(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(1)
            self.send_response(429 if len(asked) % 2 else 503)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Keep the test's output clean."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MAILCHIMP_API_URL", f"http://127.0.0.1:{server.server_port}/3.0")
    with pytest.raises(BusyError, match="the API is busy"):
        account.ingest()
    server.shutdown()
    server.server_close()
    assert len(asked) == rest.ATTEMPTS


def test_no_address_leaves_the_parquet_files(
    account: Account, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    account.ingest()
    for path in account.env.home.rglob("*"):
        assert "person" not in path.name and "@" not in path.name
        if path.is_file() and path.suffix != ".parquet":
            assert b"person0" not in path.read_bytes(), path
    labels = account.landed("_deliveries", "file")
    assert not any("person" in label or "@" in label for (label,) in labels)
    output = capfd.readouterr()
    assert "person0" not in output.out + output.err + caplog.text
