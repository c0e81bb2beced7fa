"""A file that cannot be read stops its own table, by name; the source's other tables land."""

import gzip
from pathlib import Path

import pytest
from landed_data import Configure, quarantined, rows_of

from ingestion import verdicts
from ingestion.lake import committed_loads
from ingestion.refusals import RefusedError
from ingestion.run import ingest, pending_loads
from khach.environment import Environment
from khach.errors import ConfigError, KhachError
from orchestration import stages
from orchestration.session import open_session

SHOP = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    tables:
      payments:
        from: "payments*"
        columns: {payment_id: id, amount: amount}
      stores:
        from: "stores*"
        columns: {store_id: id, store_name: name}
      campaigns:
        from: "campaigns*"
        columns: {campaign_id: id, cost: cost}
"""
GOOD = {
    "payments-1.csv": "id,amount\n1,5\n",
    "payments-2.csv": "id,amonut\n2,5\n",
    "payments-3.csv": "id,total\n3,5\n",
    "payments-4.csv": "id,amount\n4,5\n",
    "stores-1.csv": "id,name\n1,Huế\n",
    "campaigns-1.csv": "id,cost\nx,7\n",
}


def deliver(folder: Path, *names: str) -> None:
    for name in names or GOOD:
        (folder / name).write_text(GOOD[name])


def test_a_missing_column_stops_its_table_alone_and_names_file_column_and_fix(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    deliver(folder)
    with pytest.raises(RefusedError) as caught:
        ingest(env, "shop")
    error = caught.value
    assert (error.exit_code, error.line) == (2, 9)
    for part in (
        "source shop", "table payments", "payments-2.csv has no column 'amount'", "amonut?",
        "the first of 2 such files", "other tables were",
    ):  # fmt: skip
        assert part in error.message
    assert error.load is not None
    assert {name: one.rows_landed for name, one in error.load.tables.items()} == {
        "stores": 1, "campaigns": 1,
    }  # fmt: skip
    # Also those beside it wait: a file must not come in after what was delivered later.
    assert rows_of(env, "shop", "payments", "payment_id") == []
    with pytest.raises(ConfigError, match="payments-2"):  # until somebody does something
        ingest(env, "shop")
    (folder / "payments-2.csv").write_text("id,amount\n2,5\n")
    (folder / "payments-3.csv").unlink()
    assert ingest(env, "shop") is not None
    assert len(rows_of(env, "shop", "payments", "payment_id")) == 3
    assert len(rows_of(env, "shop", "stores", "store_id")) == 1
    assert ingest(env, "shop") is None


def test_all_that_is_wrong_is_told_at_once_and_the_gravest_decides(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    deliver(folder, "stores-1.csv", "payments-2.csv")
    whole = gzip.compress(b"id,cost\n" + b"x,7\n" * 1000)
    (folder / "campaigns-1.csv.gz").write_bytes(whole[:-20])
    with pytest.raises(RefusedError) as caught:
        ingest(env, "shop")
    assert "campaigns-1.csv.gz is not a complete gzip file" in caught.value.message
    assert "its columns are: id, amonut" in str(caught.value.fix)
    assert "deliver the file again" in str(caught.value.fix)
    assert caught.value.exit_code == 2
    (folder / "payments-2.csv").unlink()
    with pytest.raises(KhachError, match="gzip") as one:
        ingest(env, "shop")
    assert one.value.exit_code == 1


def test_one_mistake_of_all_tables_is_told_once(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    folder.rmdir()
    with pytest.raises(ConfigError, match=r"^the folder .* does not exist") as caught:
        ingest(env, "shop")
    assert "payments" not in str(caught.value)
    assert committed_loads(env, "shop") == []


def test_nothing_is_built_on_a_source_with_a_table_that_waits(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    (env.config / "settings.yml").write_text("as_of: latest\n")
    deliver(folder)
    with open_session(env, stages=("ingest",)) as session:
        landed = stages.ingest_source(session, "shop")
        verdict = stages.judge_landing(session, "shop")
        assert landed is not None
        assert verdict.problem is not None and verdict.problem.exit_code == 2
        (refused,) = verdict.of("payments")
        assert refused.check_name == "landing.shop.payments.file" and refused.is_blocking
    assert pending_loads(env) == []
    assert verdicts.verdict(env, "shop", landed.load_id) == "accepted"


def test_a_refused_table_leaves_the_quarantine_of_its_earlier_files_as_it_was(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(SHOP)
    (folder / "payments-1.csv").write_text("id,amount\n1,many\n")
    ingest(env, "shop")
    deliver(folder, "payments-2.csv")
    with pytest.raises(ConfigError):
        ingest(env, "shop")
    assert len(quarantined(env, "shop", "payments", "payments-1.csv")) == 1
