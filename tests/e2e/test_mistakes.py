"""What goes wrong in practice: a clear message or a counted quarantine, and the right exit code."""

import fcntl
import os
import resource
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.e2e.installation import KHACH, Installation

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("mistakes")]

SOURCES = """
sources:
  shop:
    kind: files
    area: web
    folder: {folder}
    currency: VND
    tables:
      orders:
        from: orders-*.csv
        columns:
          order_id: order_id
          external_id: customer
          ordered_at: ordered_at
          updated_at: ordered_at
        constants: {{channel: web, status: completed}}
      order_lines:
        from: lines-*.csv
        columns:
          order_line_id: line_id
          order_id: order_id
          product_id: product
          units: units
          unit_price: price
          line_amount: units * price
"""
ORDERS = "order_id,customer,ordered_at\nA1,C1,2026-06-01 10:00:00\nA2,C2,2026-06-02 11:00:00\n"
LINES = "line_id,order_id,product,units,price\n1,A1,SHOE,1,500000\n2,A2,SHOE,2,500000\n"


@pytest.fixture
def shop(tmp_path: Path) -> Installation:
    """A retailer with two CSV files, in environment dev."""
    installation = Installation(tmp_path / "shop", environment="dev")
    installation.folder.mkdir()
    installation.khach("init", "--from-template", "cdnow")
    deliveries = installation.folder / "deliveries"
    deliveries.mkdir()
    sources = SOURCES.format(folder=deliveries)
    (installation.config / "sources.yml").write_text(sources, encoding="utf-8")
    deliver(installation, "orders-1.csv", ORDERS)
    deliver(installation, "lines-1.csv", LINES)
    return installation


def deliver(installation: Installation, name: str, text: str) -> Path:
    file = installation.folder / "deliveries" / name
    file.write_text(text, encoding="utf-8")
    return file


def ingest(installation: Installation, *, expect: int) -> str:
    done = installation.khach("run", "--select", "ingest", expect=expect)
    return done.stdout + done.stderr


def landed(installation: Installation, table: str) -> int:
    files = str(installation.home / "lake" / "raw_shop" / table / "*.parquet")
    row = duckdb.sql(f"select count(*) from read_parquet('{files}')").fetchone()
    return int(row[0]) if row else 0


def quarantined(installation: Installation) -> str:
    folder = installation.home / "lake" / "quarantine" / "shop"
    return "".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("**/*.ndjson")))


def test_a_value_of_the_wrong_type_is_quarantined_and_the_good_rows_land(
    shop: Installation,
) -> None:
    deliver(
        shop, "lines-2.csv", LINES.splitlines()[0] + "\n3,A1,SHOE,zweimal,500000\n4,A2,SHOE,1,1\n"
    )
    ingest(shop, expect=0)
    assert landed(shop, "order_lines") == 3
    assert '"lines-2.csv"' in quarantined(shop)
    quality = shop.json("status")
    assert "zweimal" not in str(quality)


def test_a_malformed_line_is_quarantined_with_its_bytes(shop: Installation) -> None:
    deliver(shop, "orders-2.csv", 'order_id,customer,ordered_at\nA3,C"3,x,y,z\nA4,C4,2026-06-03\n')
    ingest(shop, expect=0)
    assert landed(shop, "orders") == 3
    assert quarantined(shop).count("\n") == 1


def test_a_missing_column_names_the_file_and_the_columns_that_exist(shop: Installation) -> None:
    deliver(shop, "orders-2.csv", "order_id,client,ordered_at\nA3,C3,2026-06-03 10:00:00\n")
    said = ingest(shop, expect=2)
    assert "orders-2.csv" in said
    assert "customer" in said
    assert "client" in said


def test_an_absent_folder_is_a_mistake_in_the_configuration(shop: Installation) -> None:
    file = shop.config / "sources.yml"
    text = file.read_text(encoding="utf-8").replace("/deliveries", "/elsewhere")
    file.write_text(text, encoding="utf-8")
    said = ingest(shop, expect=2)
    assert "elsewhere" in said
    assert "sources.yml:" in said


def test_an_unknown_environment_runs_nothing(shop: Installation) -> None:
    staging = Installation(shop.folder, environment="staging")
    said = staging.khach("run", expect=2).stderr
    assert "staging" in said
    assert "sandbox, dev, prod" in said
    assert not (shop.home / "lake").exists()


def test_a_full_disk_ends_with_a_clear_message(shop: Installation) -> None:
    header = LINES.splitlines()[0]
    rows = "".join(
        f"{n},A{n % 997},SKU{n * 7919 % 99991},{n % 9},{n % 1013}\n" for n in range(200_000)
    )
    deliver(shop, "lines-2.csv", f"{header}\n{rows}")

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    done = subprocess.run(
        [str(KHACH), "run", "--select", "ingest"],
        env=shop.variables(),
        preexec_fn=small_disk,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "disk" in done.stderr
    ingest(shop, expect=0)
    assert landed(shop, "order_lines") == 200_002


@pytest.mark.nightly
def test_a_locked_warehouse_is_busy_and_names_the_holder(shop: Installation) -> None:
    ingest(shop, expect=0)
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as holder:
        holder.execute("select 1")
        said = shop.khach("run", "--select", "build", expect=4)
        assert str(os.getpid()) in said.stderr


def test_a_second_run_is_busy_and_names_the_first(shop: Installation) -> None:
    shop.home.mkdir(exist_ok=True)
    with (shop.home / "run.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = shop.khach("run", expect=4).stderr
    assert "run.lock" in said


def test_an_audience_with_an_unknown_column_is_named_with_file_and_line(
    twin: Installation, tmp_path: Path
) -> None:
    victim = Installation(tmp_path / "copy")
    victim.folder.mkdir()
    (victim.folder / "config").mkdir()
    for file in twin.config.rglob("*"):
        if file.is_file():
            target = victim.config / file.relative_to(twin.config)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    audience = victim.config / "audiences" / "cart_abandoners.yml"
    text = audience.read_text(encoding="utf-8")
    audience.write_text(text.replace("carts_abandoned_3d > 0", "carts_abandonned_3d > 0", 1))
    said = victim.khach("config", "check", expect=2).stderr
    assert "carts_abandonned_3d" in said
    assert "carts_abandoned_3d" in said
    assert "cart_abandoners.yml:" in said
