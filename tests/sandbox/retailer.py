"""Helpers of the retailer's tests: a history made once, folders compared, processes killed."""

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb

from khach.environment import PROJECT

# Everything the pipeline or a measurement may read; the state under world/ is not delivered.
DELIVERED = ("exports", "tills/inbox", "mailchimp/inbox", "truth")

_KILLED = """
import os, signal, sys
from pathlib import Path
from sandbox import control, exports, files, truth, world
left = int(sys.argv[3])
def counted(write):
    def inner(*arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*arguments)
    return inner
for module in (exports, truth):
    module.write_whole = counted(files.write_whole)
exports.write_folder = counted(files.write_folder)
world.save = counted(world.save)
control.write_json = counted(files.write_json)
control._SAVE_EVERY_SECONDS = 0
control.advance(Path(sys.argv[1]), size=sys.argv[2])
"""


def fingerprint(root: Path) -> dict[str, str]:
    """Delivered file -> digest of its bytes, and the clock."""
    files = [p for folder in DELIVERED for p in (root / folder).rglob("*") if p.is_file()]
    found = {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in [*files, root / "clock.json"]
    }
    return dict(sorted(found.items()))


def advance_killed(root: Path, size: str, writes: int) -> int:
    """`advance` in a process that is SIGKILLed before its write number `writes`; its exit code."""
    command = [sys.executable, "-c", _KILLED, str(root), size, str(writes)]
    return subprocess.run(command, cwd=PROJECT, check=False, capture_output=True).returncode


def events(root: Path) -> list[dict[str, Any]]:
    """Every web event that can be parsed, in delivered order."""
    found = []
    for file in sorted((root / "exports/web_events").glob("*.gz")):
        for line in gzip.decompress(file.read_bytes()).splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def query(root: Path, sql: str) -> list[tuple[Any, ...]]:
    """SQL over the delivered files: {shop}, {crm}, {tills}, {mail}, {truth} are folders."""
    folders = {
        "shop": root / "exports/web_shop",
        "crm": root / "exports/crm",
        "tills": root / "tills/inbox",
        "mail": root / "mailchimp/inbox",
        "truth": root / "truth",
    }
    with duckdb.connect() as con:
        return con.execute(sql.format(**folders)).fetchall()
