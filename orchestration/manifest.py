"""dbt's manifest: parsed anew only when the project or the configured sources have changed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from khach.configuration import write_atomically
from khach.environment import Environment
from khach.errors import KhachError
from khach.redact import redact

# dbt of this very environment, whatever PATH says, as arguments of its own interpreter.
DBT_MODULE = ("-m", "orchestration.dbt_child")
# Vars that differ with each run. dbt parses the whole project again when any of `--vars` moves, so
# a run hands these over in the environment (the macro `run_value` reads them there).
_OF_A_RUN = ("as_of", "run_id", "is_replay")


def dbt_arguments(env: Environment, command: str) -> list[str]:
    """A dbt command with this installation's folders and vars; nothing is logged to files.

    dbt's own log repeats the database's errors, which quote values of rows.
    """
    settled = {key: value for key, value in _vars(env).items() if key not in _OF_A_RUN}
    return [
        "--log-level-file", "none", "--no-use-colors", "--no-version-check", command,
        "--vars", yaml.safe_dump(settled, allow_unicode=True, sort_keys=False),
    ]  # fmt: skip


def run_values(env: Environment) -> dict[str, str]:
    """What dbt must know of this run, as environment variables."""
    found = _vars(env)
    return {f"KHACH_DBT_{key.upper()}": str(found[key]) for key in _OF_A_RUN}


def dbt_environment(env: Environment) -> dict[str, str]:
    """Environment variables of a dbt process."""
    return {
        **os.environ,
        **run_values(env),
        "KHACH_HOME": str(env.home),
        "DBT_PROJECT_DIR": str(env.dbt_project),
        "DBT_PROFILES_DIR": str(env.dbt_project),
        "DBT_TARGET_PATH": str(env.dbt_target),
        "DBT_LOG_PATH": str(env.dbt_target),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        # dbt Python models import identity/ and khach/ from the checkout.
        "PYTHONPATH": os.pathsep.join(
            part for part in (str(env.project), os.environ.get("PYTHONPATH", "")) if part
        ),
    }


def load_manifest(env: Environment) -> Mapping[str, Any]:
    """The manifest of the project as it is now.

    Raises KhachError when dbt cannot parse the project.
    """
    path, key = env.dbt_target / "manifest.json", env.dbt_target / "manifest.key"
    wanted = _fingerprint(env)
    if key.exists() and key.read_text(encoding="utf-8") == wanted:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            pass  # a killed dbt left half a file
    _parse(env)
    write_atomically(key, wanted)
    return json.loads(path.read_text(encoding="utf-8"))


def _parse(env: Environment) -> None:
    env.dbt_target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, *DBT_MODULE, "--quiet", *dbt_arguments(env, "parse")],
        env=dbt_environment(env),
        cwd=env.dbt_project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = redact((done.stdout + done.stderr).strip())[-2000:]
        raise KhachError(f"dbt cannot parse its project\n{said}", file=env.dbt_project)


def _fingerprint(env: Environment) -> str:
    """Of every file of the project and of the sources, which decide what models there are."""
    digest = hashlib.sha256()
    for path in sorted(env.dbt_project.rglob("*")):
        if path.is_file():
            stat = path.stat()
            digest.update(f"{path} {stat.st_mtime_ns} {stat.st_size}\n".encode())
    digest.update(json.dumps(_vars(env)["sources"], sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _vars(env: Environment) -> dict[str, Any]:
    return yaml.safe_load(env.dbt_vars.read_text(encoding="utf-8"))
