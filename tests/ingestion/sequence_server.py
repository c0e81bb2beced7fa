"""Runs steps of the pipeline in forked children and kills some of them at a Python call.

One request per line on stdin: {"home", "steps", "kill_at"}; one answer per line on stdout: how
the steps ended (`ended` or `killed`). This process warms dlt and
dbt up once, so that a child takes a fraction of a second. The first line on stdout is the number
of calls of undisturbed steps, from which the kills are drawn.
"""

import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from ingestion import compaction, verdicts
from ingestion.lake import committed_loads
from ingestion.run import ingest, pending_loads
from ingestion.vars import dbt_sources
from khach.environment import PROJECT, load_environment
from khach.state import open_state

SOURCES = """sources:
  shop: &shop
    kind: files
    area: web
    folder: ${SEQUENCE_HOME}/shop
    tables:
      stores:
        from: "*.csv"
        deleted_when: gone = 'true'
        columns: {store_id: id, store_name: name, updated_at: changed}
  twin:
    <<: *shop
    folder: ${SEQUENCE_HOME}/twin
"""
NOT_STAGING = ("data-tests", "exposures.yml", "identity", "intermediate", "marts", "seeds")


def run(steps: list[Any], project: Path, manifest: Any) -> None:
    """Do the steps in this process, in the installation that the environment names."""
    env = load_environment()
    for step, *arguments in steps:
        if step == "ingest":
            ingest(env, arguments[0])
        elif step == "accept":
            for load in pending_loads(env):
                verdicts.accept(env, load.source, load.load_id, by="test", reason="")
        elif step in ("accept nth", "reject nth"):
            judge = verdicts.accept if step == "accept nth" else verdicts.reject
            for load in committed_loads(env, "shop")[arguments[0] :][:1]:
                judge(env, "shop", load.load_id, by="test", reason="")
        elif step == "build":
            dbt(project, manifest, "run", "-s", "stg_entities__stores")
        else:
            raise ValueError(step)


def dbt(project: Path, manifest: Any, *arguments: str) -> Any:
    """Run dbt in this process; parsing, its slow part, is left out when there is a manifest."""
    env = load_environment()
    with open_state(env):
        pass  # migrated, as a run leaves it before anything else
    variables = {"lake": str(env.lake), "sources": dbt_sources(env)}
    try:
        done = dbtRunner(manifest=manifest).invoke(
            [
                *("--quiet", "--log-level-file", "none"),
                *arguments,
                *("--project-dir", str(project), "--profiles-dir", str(project)),
                *("--target-path", str(env.dbt_target), "--vars", json.dumps(variables)),
            ]
        )
    finally:
        DuckDBConnectionManager.close_all_connections()
    if not done.success:
        raise done.exception or RuntimeError([result.message for result in done.result])
    return done.result


def counted(steps: list[Any], project: Path, manifest: Any, kill_at: int | None) -> int:
    """Do the steps; the Python calls they took, unless this process is killed at one of them."""
    calls = itertools.count(1)
    taken = 0

    def profile(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal taken
        if event == "call":
            taken = next(calls)
            if taken == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        run(steps, project, manifest)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return taken


def in_child(request: dict[str, Any], project: Path, manifest: Any) -> str:
    """Fork and do a request there; how it ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            enter(Path(request["home"]))
            kill_at = request["kill_at"]
            if kill_at is None:
                run(request["steps"], project, manifest)
            else:
                counted(request["steps"], project, manifest, kill_at)
            os.write(writer, b"ended")
            status = 0
        except BaseException:  # noqa: BLE001  # told on stderr, and the parent stops
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    answer = os.read(reader, 32)
    os.close(reader)
    if os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL):
        sys.exit(f"the child failed with status {status}: {request}")
    return answer.decode() or "killed"


def enter(home: Path) -> None:
    """Make `home` the installation of this process."""
    os.environ |= {"KHACH_ENV": "dev", "KHACH_HOME": str(home), "SEQUENCE_HOME": str(home)}
    os.environ["KHACH_CONFIG"] = str(home)
    (home / "sources.yml").write_text(SOURCES)


# So that the ingests of a short sequence compact, too, also those that are killed.
compaction.KEPT_LOADS, compaction.BATCH = 0, 2


def main() -> None:
    """Warm up, say how many calls a run takes, then serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    with tempfile.TemporaryDirectory() as folder:
        home, project = Path(folder), Path(folder) / "project"
        ignored = shutil.ignore_patterns("target", "logs", *NOT_STAGING)
        shutil.copytree(PROJECT / "dbt_project", project, ignore=ignored)
        enter(home)
        for source in ("shop", "twin"):
            (home / source).mkdir()
            (home / source / "0.csv").write_text("id,name,changed,gone\na,a,2026-01-01,\n")
        manifest = dbt(project, None, "parse")
        run([("ingest", "shop"), ("accept",), ("build",)], project, manifest)
        (home / "shop" / "1.csv").write_text("id,name,changed,gone\nb,b,2026-01-01,\n")
        calls = {"ingest": counted([("ingest", "shop")], project, manifest, None)}
        run([("accept",)], project, manifest)
        calls["build"] = counted([("build",)], project, manifest, None)
        print(json.dumps(calls), file=answers, flush=True)
        for line in sys.stdin:
            print(in_child(json.loads(line), project, manifest), file=answers, flush=True)


if __name__ == "__main__":
    main()
