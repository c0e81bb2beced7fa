"""Loads: committed once or not at all, with verdicts and counts that survive a kill."""

import random
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from landed_data import PAYMENTS, Configure, kill_children, rows_of

from ingestion import dlt_pipeline, lake, run, verdicts
from ingestion.entities import entity_table
from ingestion.run import ingest, pending_loads, read_seen
from ingestion.spec import Delivery, Extract, TableSpec
from ingestion.vars import newest_event
from khach.environment import Environment
from khach.errors import BusyError, KhachError
from khach.state import open_state

ROW = "id,order_id,amount,paid_at\n1,o,1,2026-01-01 10:00:00\n"


def test_a_changed_type_is_refused_by_name_and_the_next_load_still_works(
    env: Environment, tmp_path: Path
) -> None:
    table = TableSpec("things", {"thing_id": "v", "size": "i"})
    changed = TableSpec("things", {"thing_id": "v", "size": "t"})
    for number, (spec, is_refused) in enumerate([(table, False), (changed, True), (table, False)]):
        staging = tmp_path / str(number)
        staging.mkdir()
        if not is_refused:
            dlt_pipeline.land(env, "shop", [spec], Extract({}, []), staging)
            continue
        with pytest.raises(KhachError, match="things: column size changes its type from bigint to"):
            dlt_pipeline.land(env, "shop", [spec], Extract({}, []), staging)
        assert not dlt_pipeline.has_pending(env, "shop")
    assert len(lake.committed_loads(env, "shop")) == 2


def test_verdicts_are_recorded_and_the_newest_event_is_that_of_accepted_loads(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(ROW)
    first = ingest(env, "shop")
    (folder / "payments-2.csv").write_text(ROW.replace("2026-01-01", "2026-02-01"))
    second = ingest(env, "shop")
    assert first and second
    assert [load.load_id for load in pending_loads(env)] == [first.load_id, second.load_id]
    verdicts.accept(env, "shop", first.load_id, by="gate", reason="green")
    verdicts.reject(env, "shop", second.load_id, by="gate", reason="red")
    assert pending_loads(env) == []
    assert str(newest_event(env)) == "2026-01-01 03:00:00"
    with pytest.raises(KhachError, match="no load 1\\.5"):
        verdicts.accept(env, "shop", "1.5", by="me", reason="")
    with open_state(env) as state:
        counts = state.execute("select rows_offered, rows_landed from load_tables").fetchall()
    assert counts == [(1, 1), (1, 1)]


def test_cursors_of_a_rejected_load_are_read_again(env: Environment, tmp_path: Path) -> None:
    table = entity_table("stores")
    loads = []
    for cursor in ("one", "two"):
        staging = tmp_path / cursor
        staging.mkdir()
        delivery = Delivery("stores", "stores", 0, 0, cursor=cursor)
        loads.append(dlt_pipeline.land(env, "tills", [table], Extract({}, [delivery]), staging))
    assert read_seen(env, "tills").cursors == {"stores": "two"}
    verdicts.reject(env, "tills", loads[1], by="gate", reason="half a day")
    assert read_seen(env, "tills").cursors == {"stores": "one"}


def test_a_landed_load_that_state_does_not_know_is_found_again(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(ROW)
    load = ingest(env, "shop")
    env.state.unlink()  # as after a kill between the commit and the state file
    assert pending_loads(env) == [load]


def test_dlts_working_folder_may_be_lost(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(ROW)
    ingest(env, "shop")
    shutil.rmtree(env.dlt_dir)
    (folder / "payments-2.csv").write_text(ROW.replace("\n1,", "\n2,"))
    ingest(env, "shop")
    assert rows_of(env, "shop", "payments", "payment_id") == [("1",), ("2",)]


def test_types_are_the_lakes_whichever_folder_is_lost(env: Environment, tmp_path: Path) -> None:
    table = TableSpec("things", {"thing_id": "v", "size": "i"})
    changed = TableSpec("things", {"thing_id": "v", "size": "t"})

    def land(spec: TableSpec, name: str) -> None:
        (tmp_path / name).mkdir()
        dlt_pipeline.land(env, "shop", [spec], Extract({}, []), tmp_path / name)

    land(table, "first")
    shutil.rmtree(env.dlt_dir)
    with pytest.raises(KhachError, match="things: column size changes its type from bigint to"):
        land(changed, "the working folder is lost")
    shutil.rmtree(env.lake)
    land(changed, "nothing has landed any more")
    assert rows_of(env, "shop", "things", "size") == []


def test_a_commit_record_that_is_cut_off_is_no_commit(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    (folder / "payments-1.csv").write_text(ROW)
    ingest(env, "shop")
    (record,) = (lake.raw_folder(env, "shop") / "_dlt_loads").glob("*.jsonl")
    record.write_text(record.read_text()[:20])
    assert lake.committed_loads(env, "shop") == []


def test_two_ingests_of_one_source_do_not_run_at_once(
    env: Environment, configure: Configure
) -> None:
    configure(PAYMENTS)
    with run._only_one(env, "shop"), pytest.raises(BusyError, match="another process"):
        ingest(env, "shop")


def test_a_full_disk_is_said_clearly_and_the_next_run_ends_as_if_nothing_had_been(
    env: Environment, configure: Configure, folder: Path
) -> None:
    configure(PAYMENTS)
    # What cannot be compressed, so that the Parquet file is what meets the limit.
    rows = "".join(
        f"{n},{random.randbytes(16).hex()},{n},2026-01-01 10:00:00\n" for n in range(200_000)
    )
    (folder / "payments-1.csv").write_text(ROW.splitlines()[0] + "\n" + rows)
    code = (
        "from khach.environment import load_environment; from khach.errors import KhachError\n"
        "from ingestion.run import ingest\n"
        "try: ingest(load_environment(), 'shop')\n"
        "except KhachError as e: print(e.exit_code, e.message)"
    )
    limit = 2_000_000

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=env.project, capture_output=True,
        text=True, preexec_fn=small_files,
    )  # fmt: skip
    assert done.stdout.startswith("1 source shop: the disk"), done.stderr[-2000:]
    load = ingest(env, "shop")
    assert load is not None or pending_loads(env)
    assert len(rows_of(env, "shop", "payments", "_row")) == 200_000


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("setting", ["", "        encoding: windows-1258\n"], ids=["", "copied"])
def test_killed_at_drawn_calls_the_lake_ends_like_its_undisturbed_twin(  # noqa: PLR0917 - drawn
    env: Environment, configure: Configure, folder: Path, tmp_path: Path, kills: int, setting: str
) -> None:
    configure(PAYMENTS.replace("        filter", setting + "        filter"))
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    kill_children(folder, seed, kills, "ingest")
    twin = replace(env, home=tmp_path / "twin")
    twin.home.mkdir()
    ingest(twin, "shop")
    for columns in ("payment_id, amount, paid_at, _file, _row",):
        assert rows_of(env, "shop", "payments", columns) == rows_of(
            twin, "shop", "payments", columns
        )
    counted = "file, rows_offered, rows_landed, rows_quarantined"
    assert rows_of(env, "shop", "_deliveries", counted) == rows_of(
        twin, "shop", "_deliveries", counted
    )
    assert _quarantine(env) == _quarantine(twin)
    assert not dlt_pipeline.has_pending(env, "shop")
    assert not list(env.scratch.glob("*"))
    committed = {load.load_id for load in lake.committed_loads(env, "shop")}
    assert {load.load_id for load in pending_loads(env, source="shop")} == committed
    present = {path.name[: path.name.rindex(".", 0, -8)] for path in
               lake.raw_folder(env, "shop").glob("*/*.parquet")}  # fmt: skip
    assert present == committed


def _quarantine(env: Environment) -> dict[str, str]:
    return {
        str(path.relative_to(env.quarantine)): path.read_text()
        for path in env.quarantine.rglob("*.ndjson")
    }
