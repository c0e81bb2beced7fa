"""What cannot be rebuilt survives; the doctor sees what is unfinished."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import duckdb
import pytest

from khach.backup import make_backup, restore_backup
from khach.doctor import Finding, examine
from khach.environment import Environment
from khach.errors import BusyError, KhachError
from khach.init import initialise
from khach.lock import run_lock
from khach.runs import start_stage
from khach.state import open_state
from tests.khach.shop import open_shop


def _runs(env: Environment) -> list[tuple]:
    with open_state(env) as state:
        return state.execute("select * from runs order by all").fetchall()


def _lake_file(env: Environment, name: str) -> Path:
    path = env.lake / "raw_tills" / "receipts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"parquet")
    return path


def test_a_restored_backup_holds_the_same_state_and_configuration(env: Environment) -> None:
    open_shop(env)
    initialise(env, "sandbox", force=True)
    kept, gone = _lake_file(env, "1.a.parquet"), _lake_file(env, "1.b.parquet")
    before = _runs(env)
    settings = (env.config / "settings.yml").read_text()
    made = make_backup(env)
    start_stage(env, "r-later", "run")
    (env.config / "settings.yml").write_text("as_of: latest\n")
    gone.unlink()
    _lake_file(env, "2.c.parquet")
    restored = restore_backup(env, made.file)
    assert _runs(env) == before
    assert (env.config / "settings.yml").read_text() == settings
    assert (restored.missing, restored.newer) == (1, 1)
    assert kept.exists()
    assert not env.warehouse.exists()
    assert restored.config_kept_at
    assert (restored.config_kept_at / "settings.yml").read_text() == "as_of: latest\n"
    assert restored.state_kept_at
    assert not list(env.home.glob(".backup-*"))


def test_what_a_killed_process_wrote_last_stays_with_the_state_that_is_kept(
    env: Environment,
) -> None:
    open_shop(env)
    made = make_backup(env)
    write = "insert into restores values (timestamp '2026-01-01', 'last words')"
    code = (
        f"import duckdb, os; state = duckdb.connect({str(env.state)!r}); "
        f"state.execute({write!r}); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert Path(f"{env.state}.wal").exists()
    kept = restore_backup(env, made.file).state_kept_at
    assert not Path(f"{env.state}.wal").exists()
    with duckdb.connect(str(kept)) as old:
        assert old.execute("select reason from restores").fetchall() == [("last words",)]


def test_constraints_survive_a_backup(env: Environment) -> None:
    open_shop(env)
    restore_backup(env, make_backup(env).file)
    with open_state(env) as state, pytest.raises(Exception, match="Duplicate key"):
        state.execute(
            "insert into loads values ('tills', 'l1', now()::timestamp, 'accepted', null, null, "
            "null)"
        )


def test_a_damaged_backup_changes_nothing(env: Environment, tmp_path: Path) -> None:
    open_shop(env)
    made = make_backup(env)
    before = _runs(env)
    whole = made.file.read_bytes()
    for number, damaged in enumerate((whole[: len(whole) // 2], b"", b"no archive at all")):
        file = tmp_path / f"{number}.tar.gz"
        file.write_bytes(damaged)
        with pytest.raises(KhachError, match="damaged"):
            restore_backup(env, file)
    swapped = tmp_path / "swapped.tar.gz"
    _replace_member(made.file, swapped, "state.duckdb", env.operations)
    with pytest.raises(KhachError, match=r"state\.duckdb"):
        restore_backup(env, swapped)
    assert _runs(env) == before
    assert env.warehouse.exists()


def test_no_backup_and_no_restore_during_a_run(env: Environment, tmp_path: Path) -> None:
    from khach.environment import PROJECT
    from tests.khach.test_lock import HOLDER

    open_shop(env)
    file = make_backup(env).file
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, cwd=PROJECT, text=True
    )
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError):
            make_backup(env)
        with pytest.raises(BusyError):
            restore_backup(env, file)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_only_the_newest_backups_stay(env: Environment) -> None:
    made = [make_backup(env, keep=2).file for _ in range(4)]
    assert sorted((env.home / "backups").glob("*.tar.gz")) == made[-2:]


def test_the_doctor_names_what_is_unfinished_and_what_to_do(env: Environment) -> None:
    open_shop(env)
    with open_state(env) as state:
        state.execute("update loads set verdict = 'pending' where load_id = 'l2'")
        state.execute(
            "insert into sync_intents (plan_id, row_number, sync_id, opened_at) "
            "values ('p1', 1, 'cart_email', now()::timestamp)"
        )
    start_stage(env, "r-killed", "run")
    (env.published / "s2.partial").mkdir()
    text = _text(examine(env))
    for expected in ("1 loads landed without a verdict", "1 rows sent without a receipt",
                     "1 runs are marked running", "s2.partial", "khach init"):  # fmt: skip
        assert expected in text
    with run_lock(env, "khach run"):
        assert "marked running" not in _text(examine(env))


def test_the_doctor_sees_a_link_that_leads_nowhere(env: Environment) -> None:
    snapshot_id = open_shop(env)
    shutil.rmtree(env.published / snapshot_id)
    findings = examine(env)
    assert any("leads nowhere" in f.message and f.level == "problem" for f in findings)


def test_the_doctor_works_where_nothing_was_ever_run(env: Environment) -> None:
    assert "no state yet" in _text(examine(env))


def _text(findings: list[Finding]) -> str:
    return "\n".join(f"{f.level} {f.topic}: {f.message} -> {f.todo}" for f in findings)


def _replace_member(source: Path, target: Path, name: str, content: Path) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w:gz") as new:
        for member in old.getmembers():
            if member.name == name:
                new.add(content, arcname=name)
            else:
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
