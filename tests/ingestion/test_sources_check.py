"""`khach sources check`: everything that is wrong with every source, in one answer."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from landed_data import Configure

from ingestion.config import find_source
from ingestion.run import check_source
from khach.cli.main import execute
from khach.environment import Environment

FILES = """  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      payments:
        from: "payments*.csv"
        columns: {payment_id: id, amount: amount}
      stores:
        from: "stores*.csv"
        columns: {store_id: id, store_name: name}
      campaigns:
        from: "campaigns*.csv"
        columns: {campaign_id: id, cost: cost}
"""
TILLS = """  tills:
    kind: sql
    area: pos
    url_env: TILLS_URL
    tables:
      orders:
        from: receipts
        columns: {order_id: id, ordered_at: sold_at}
      stores:
        from: shops
        columns: {store_id: id, store_name: name}
"""
UNSET = """  shopify_shop:
    kind: shopify
    area: web
    shop_url: UNSET_URL
    access_token: UNSET_TOKEN
"""
CLOSED = """  dear:
    kind: sql
    area: pos
    url_env: CLOSED_URL
    tables:
      stores:
        from: shops
        columns: {store_id: id, store_name: name}
"""


@pytest.fixture
def sources(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with one good table of three, a database with one of two, two that never answer."""
    (folder / "payments-1.csv").write_text("id,amonut\n1,5\n")
    (folder / "stores-1.csv").write_text("id,name\n1,Huế\n")
    with sqlite3.connect(folder / "tills.db") as tills:
        tills.execute("create table receipts (id integer, soldat text)")
        tills.execute("create table shops (id integer, name text)")
    monkeypatch.setenv("TILLS_URL", f"sqlite:///{folder}/tills.db")
    monkeypatch.setenv("CLOSED_URL", "postgresql://reader:geheim@127.0.0.1:1/tills")


def check(capfd: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]]]:
    code = execute(["sources", "check", "--json"])
    found = json.loads(capfd.readouterr().out)["sources"]
    return code, {f"{one['source']}: {one['item']}": one for one in found}


@pytest.mark.usefixtures("sources")
def test_every_problem_of_every_source_is_told_beside_what_is_well(
    env: Environment, configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configure("sources:\n" + FILES + TILLS + UNSET + CLOSED)
    code, found = check(capfd)
    problems = {name: one["problem"] for name, one in found.items()}
    assert problems.pop("shop: stores from stores*.csv") is None
    assert problems.pop("tills: stores from shops") is None
    for name, words in {
        "shop: payments from payments*.csv": "payments-1.csv has no column 'amount'",
        "shop: campaigns from campaigns*.csv": "no file matches the pattern",
        "tills: orders from receipts": "sold_at",
        "shopify_shop: shopify": "UNSET_URL",
        "dear: sql": "the database of CLOSED_URL is not reachable",
    }.items():
        assert words in problems.pop(name)
    assert problems == {}
    misspelt = found["shop: payments from payments*.csv"]
    assert misspelt["file"] == str(env.config / "sources.yml")
    assert misspelt["line"] == 9
    assert "amonut" in misspelt["fix"]
    assert code == 2
    assert execute(["sources", "check"]) == 2
    told = capfd.readouterr().out
    assert "sources.yml:9 sources.shop.tables.payments.columns.amount" in told
    assert "geheim" not in told


@pytest.mark.usefixtures("sources")
def test_a_source_that_is_only_out_of_reach_is_worth_another_try(
    configure: Configure, capfd: pytest.CaptureFixture[str]
) -> None:
    configure("sources:\n" + CLOSED)
    code, found = check(capfd)
    assert code == 4
    assert [one["found"] for one in found.values()] == [""]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("ftp://khach:${DROP_PASSWORD}@127.0.0.1:1/x", 4),
        ("ftp://khach:${DROP_PASSWORD}@127.0.0.1:12:34/x", 2),
        ("drop://khach:${DROP_PASSWORD}@127.0.0.1/x", 2),
        ("s3://khach ${DROP_PASSWORD}/x", 2),
        ("/nowhere/${DROP_PASSWORD}", 2),
    ],
)
def test_a_password_in_a_folders_address_is_in_no_message(
    env: Environment,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    code: int,
) -> None:
    monkeypatch.setenv("DROP_PASSWORD", "geheim")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    configure("sources:\n" + FILES.replace("folder: FOLDER", f"folder: {address}"))
    items = check_source(env, find_source(env, "shop"))
    assert [item.exit_code for item in items] == [code] * 3
    for item in items:
        assert address in str(item.mistake)
        assert "geheim" not in str(item.mistake)
