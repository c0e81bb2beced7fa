"""What a dbt run amounts to: check results for its tests, one error for what went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from khach.checks import CheckResult
from khach.configuration import write_atomically
from khach.environment import Environment
from khach.errors import BusyError, KhachError
from khach.redact import redact, shape

STAGE = "build"
_QUOTED = re.compile(r"'([^']*)'")


def safe(message: str) -> str:
    """A message of the database without the values it quotes."""
    return redact(_QUOTED.sub(lambda match: f"'{shape(match[1])}'", message))


def read_results(env: Environment) -> list[dict[str, Any]]:
    """The results of the dbt process that just ended, their messages made safe on disk, too."""
    path = env.dbt_target / "run_results.json"
    if not path.exists():
        return []
    document = json.loads(path.read_text(encoding="utf-8"))
    broken = [r for r in document["results"] if r["status"] == "error" and r.get("message")]
    for result in broken:
        result["message"] = safe(result["message"])
    if broken:
        write_atomically(path, json.dumps(document))
    return document["results"]


def check_results(
    results: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any]
) -> list[CheckResult]:
    """One check result per test that ran; failing keys come from the test's own query."""
    found = []
    for result in results:
        node = manifest["nodes"].get(result["unique_id"])
        if node is None or node["resource_type"] != "test" or result["status"] in _NOT_JUDGED:
            continue
        attached = manifest["nodes"].get(node.get("attached_node") or "", {})
        passed = result["status"] == "pass"
        found.append(
            CheckResult(
                check_name=node["name"],
                stage=STAGE,
                rule=node.get("description") or node["name"].replace("_", " "),
                is_success=passed,
                severity="warning" if _is_warning(node, result) else "error",
                table_name=attached.get("alias") or attached.get("name"),
                failed_count=result.get("failures"),
                failing_sql=None if passed else result.get("compiled_code"),
            )
        )
    return found


def runtime_problem(
    results: Sequence[Mapping[str, Any]], said: str, returncode: int
) -> KhachError | None:
    """The error that dbt ended with, tests aside; `said` is its console output, for a crash.

    BusyError when the warehouse or state is held by another process.
    """
    broken = [r for r in results if r["status"] == "error"]
    text = "\n".join(r.get("message") or "" for r in broken) or said
    if returncode and "Could not set lock on file" in text:
        pid = re.search(r"PID ([0-9]+)", text)
        holder = f"process {pid[1]}" if pid else "another process"
        return BusyError(
            f"the warehouse is held by {holder}",
            fix="wait for it to end, or stop it; `khach doctor` shows who holds what",
        )
    if broken:
        first = broken[0]
        more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        name = first["unique_id"].split(".", 2)[-1]
        return KhachError(f"dbt: {name} failed{more}: {_first_lines(first.get('message') or '')}")
    tested = any(r["status"] in ("fail", "warn") for r in results)
    if returncode and not tested:
        return KhachError(f"dbt ended with exit code {returncode}: {_first_lines(safe(said))}")
    return None


_NOT_JUDGED = ("skipped", "error")


def _is_warning(node: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    if result["status"] == "warn":
        return True
    return str(node["config"].get("severity", "error")).lower() == "warn"


def _first_lines(text: str, limit: int = 6) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " ".join(lines[:limit])[:1200]


def forget_results(env: Environment) -> None:
    """Remove the results of an earlier dbt, so that a crash is not mistaken for its success."""
    Path(env.dbt_target / "run_results.json").unlink(missing_ok=True)
