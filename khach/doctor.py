"""`khach doctor`: what is here, what is unfinished, and what to do about it. Changes nothing."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import duckdb

from khach import __version__
from khach.environment import Environment
from khach.errors import KhachError
from khach.lock import lock_holder
from khach.publishing import current_snapshot, snapshots_on_disk
from khach.state import connect

Level = Literal["ok", "note", "problem"]
_TOOLS = ("duckdb", "dlt", "dbt-core", "dbt-duckdb", "great-expectations", "dagster")
_LOW_DISK = 2 * 1024**3
_NEXT_RUN = "nothing: the next khach run takes it up where it stands"


@dataclass(frozen=True)
class Finding:
    """One observation; `todo` is empty when there is nothing to do."""

    topic: str
    level: Level
    message: str
    todo: str | None = None


def examine(env: Environment) -> list[Finding]:
    """Versions, folders, disk, configuration, lock, snapshots, then what state says."""
    findings = [_versions(), _folders(env), *_disk(env), _configuration(env), _lock(env)]
    return [*findings, *_snapshots(env), *_left_over(env), *_state(env)]


def _versions() -> Finding:
    found = []
    for tool in _TOOLS:
        try:
            found.append(f"{tool} {version(tool)}")
        except PackageNotFoundError:
            return Finding("versions", "problem", f"{tool} is not installed", "make setup")
    return Finding("versions", "ok", f"khach {__version__}, {', '.join(found)}")


def _folders(env: Environment) -> Finding:
    return Finding("environment", "ok", f"{env.name}; data in {env.home}, config in {env.config}")


def _disk(env: Environment) -> Iterator[Finding]:
    place = env.home if env.home.exists() else env.project
    free = shutil.disk_usage(place).free
    message = f"{free / 1024**3:.1f} GiB free under {env.home}"
    low = free < _LOW_DISK
    yield Finding("disk", "problem" if low else "ok", message, "free space" if low else None)
    sizes = {path.name: _size(path) for path in env.home.iterdir()} if env.home.is_dir() else {}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:6]
    if largest:
        listed = ", ".join(f"{name} {size / 1024**2:,.1f} MiB" for name, size in largest)
        yield Finding("disk", "ok", listed)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())


def _configuration(env: Environment) -> Finding:
    if not (env.config / "settings.yml").exists():
        return Finding("config", "problem", f"there is no configuration in {env.config}",
                       "khach init --sandbox, or khach init --from-template NAME")  # fmt: skip
    from khach.configuration import check_configuration

    mistakes = check_configuration(env)
    if mistakes:
        return Finding("config", "problem", f"{len(mistakes)} mistakes", "khach config check")
    return Finding("config", "ok", "every file is valid")


def _lock(env: Environment) -> Finding:
    holder = lock_holder(env)
    if holder is None:
        return Finding("run lock", "ok", "free")
    return Finding("run lock", "note", f"held by {holder}", "wait for it to end")


def _snapshots(env: Environment) -> Iterator[Finding]:
    here = snapshots_on_disk(env)
    present = current_snapshot(env)
    if env.current.is_symlink() and present is None:
        todo = "khach run publishes a new one"
        yield Finding("published", "problem", "the link `current` leads nowhere", todo)
    elif present is None:
        yield Finding("published", "note", "nothing is published yet", "khach run")
    else:
        is_newest = present == here[-1]
        remedy = None if is_newest else "rolled back? the next khach run publishes a new one"
        yield Finding("published", "ok" if is_newest else "note",
                      f"readers see {present}; on disk: {', '.join(here)}", remedy)  # fmt: skip


def _left_over(env: Environment) -> Iterator[Finding]:
    if not env.published.is_dir() or lock_holder(env) is not None:
        return
    left = sorted(path.name for path in env.published.glob("*.partial"))
    if left:
        yield Finding("published", "note", f"half-written: {', '.join(left)}",
                      "nothing: the next publish removes it; no reader sees it")  # fmt: skip


def _state(env: Environment) -> Iterator[Finding]:
    if not env.state.exists():
        yield Finding("state", "note", "no state yet", "khach run")
        return
    try:
        state = connect(env.state, read_only=True, wait_seconds=2)
    except KhachError as problem:
        yield Finding("state", "note", problem.message, problem.fix)
        return
    with state:
        yield from _unfinished(env, state)


def _unfinished(env: Environment, state: duckdb.DuckDBPyConnection) -> Iterator[Finding]:
    questions = (
        ("loads", "loads landed without a verdict",
         "select count(*) from loads where verdict = 'pending'"),
        ("syncs", "rows sent without a receipt (open intents)",
         "select count(*) from sync_intents"),
    )  # fmt: skip
    for topic, what, sql in questions:
        count = _count(state, sql)
        if count:
            yield Finding(topic, "note", f"{count:,} {what}", _NEXT_RUN)
    running = _count(state, "select count(distinct run_id) from runs where status = 'running'")
    if running and lock_holder(env) is None:
        yield Finding("runs", "note", f"{running} runs are marked running, but no process is",
                      "nothing: the next khach run marks them failed and goes on")  # fmt: skip
    held = _count(state, "select count(*) from sync_plans where status = 'blocked'")
    if held:
        yield Finding("plans", "note", f"{held} plans are held by a guard",
                      "look (khach status), then khach apply PLAN --accept GUARD")  # fmt: skip
    rejected = _count(state, "select count(*) from loads where verdict = 'rejected'")
    if rejected:
        yield Finding("loads", "note", f"{rejected} loads are rejected and unseen by the models",
                      "khach loads; khach loads accept ID takes one in")  # fmt: skip
    version_row = _one(state, "select max(version) from schema_versions")
    yield Finding("state", "ok", f"version {version_row}")


def _count(state: duckdb.DuckDBPyConnection, sql: str) -> int:
    """A count; 0 when the table does not exist in this state file yet."""
    try:
        return int(_one(state, sql) or 0)
    except duckdb.CatalogException:
        return 0


def _one(state: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = state.execute(sql).fetchone()
    return row[0] if row else None
