"""The tills' PostgreSQL and the hand-over to clients: started, loaded once, restarted."""

import os
import shutil
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from retailer import query

from sandbox import control, postgres
from sandbox.processes import has_ended


@pytest.fixture(scope="module")
def shop(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("served") / "sandbox"
    shutil.copytree(history, root)
    assert control.start(root)["running"]
    yield root
    control.stop(root)


def variables(root: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (root / "env").read_text().splitlines())


def counts(root: Path) -> dict[str, int]:
    tables = {"members": "member_number", "receipts": "receipt_id",
              "receipt_lines": "receipt_line_id", "payments": "payment_id",
              "returns": "return_id", "consents": "consent_id", "stores": "store_id"}  # fmt: skip
    with psycopg.connect(variables(root)["SANDBOX_TILLS_URL"]) as connection:
        found = {}
        for table, key in tables.items():
            row = connection.execute(f"select count(*), count(distinct {key}) from {table}")
            rows, keys = row.fetchone() or (0, 0)
            assert rows == keys
            [(delivered,)] = query(
                root, f"select count(distinct {key}) from '{{tills}}/*/{table}.csv'"
            )
            assert rows == delivered, table
            found[table] = rows
    return found


def test_the_tills_hold_what_was_delivered_and_a_new_day_is_added_once(shop: Path) -> None:
    before = counts(shop)
    yesterday = control.status(shop)["today"]
    control.advance(shop)
    after = counts(shop)
    assert control.status(shop)["today"] > yesterday
    assert after["receipts"] > before["receipts"]
    control.start(shop)
    assert counts(shop) == after


def test_a_later_version_of_a_receipt_replaces_the_earlier(shop: Path) -> None:
    [(returned,)] = query(
        shop, "select count(*) from '{tills}/*/receipts.csv' where status = 'returned'"
    )
    with psycopg.connect(variables(shop)["SANDBOX_TILLS_URL"]) as connection:
        found = connection.execute("select count(*) from receipts where status = 'returned'")
        assert found.fetchone() == (returned,)
    assert returned > 0


def test_keys_survive_a_restart_and_are_private(shop: Path) -> None:
    before = variables(shop)
    names = "SANDBOX_TILLS_URL SANDBOX_EXPORTS MAILCHIMP_API_URL MAILCHIMP_API_KEY"
    folders = "CART_DROP_FOLDER CALL_LIST_FOLDER STORE_LIST_FOLDER AUDIENCE_DROP_FOLDER"
    assert set(before) == set(f"{names} MAILCHIMP_LIST_ID {folders}".split())
    assert all(Path(before[name]).is_dir() for name in folders.split())
    assert not control.stop(shop)["running"]
    assert control.start(shop)["running"]
    after = variables(shop)
    assert after["MAILCHIMP_API_KEY"] == before["MAILCHIMP_API_KEY"]
    assert after["SANDBOX_TILLS_URL"].split("@")[0] == before["SANDBOX_TILLS_URL"].split("@")[0]
    for name in ("env", "keys.json"):
        assert stat.S_IMODE((shop / name).stat().st_mode) == 0o600


def test_a_wrong_password_is_refused_and_only_loopback_listens(shop: Path) -> None:
    url = variables(shop)["SANDBOX_TILLS_URL"]
    wrong = url.replace(url.split(":")[2].split("@")[0], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(wrong)
    with psycopg.connect(url) as connection:
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)


def test_a_database_that_died_or_vanished_is_there_again_after_start(shop: Path) -> None:
    before = counts(shop)
    found = postgres.running(shop)
    assert found
    os.kill(found[0], signal.SIGKILL)
    assert has_ended(found[0], seconds=5)
    assert not control.is_up(shop)
    control.start(shop)
    assert counts(shop) == before
    control.stop(shop)
    shutil.rmtree(shop / "postgres")
    control.start(shop)
    assert counts(shop) == before
