"""A payments source, and what is in the lake and the quarantine after it was read."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb

from ingestion.lake import committed_loads, load_rows
from ingestion.quarantine import quarantine_path
from khach.environment import Environment

Configure = Callable[[str], None]

PAYMENTS = """sources:
  shop:
    kind: files
    area: web
    folder: FOLDER
    time_zone: Asia/Ho_Chi_Minh
    tables:
      payments:
        from: "payments*"
        filter: amount > 0
        columns: {payment_id: id, order_id: order_id, amount: amount, paid_at: paid_at}
"""


def rows_of(env: Environment, source: str, table: str, columns: str) -> list[tuple]:
    """Rows of the committed loads of a raw table, sorted."""
    loads = [load.load_id for load in committed_loads(env, source)]
    relation = load_rows(env, source, table, loads)
    assert relation
    with duckdb.connect() as connection:
        return connection.execute(f"select {columns} from {relation} order by all").fetchall()


def quarantined(env: Environment, source: str, table: str, file: str) -> list[dict]:
    """The quarantine of one delivered file."""
    path = quarantine_path(env, source, table, file)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def kill_children(folder: Path, seed: int, kills: int, work: str, **environ: str) -> None:
    """Ingest or replay what `kill_child.py` delivers, killing it at drawn calls."""
    child = Path(__file__).parent / "kill_child.py"
    path = f"{Path.cwd()}:{os.environ.get('PYTHONPATH', '')}"
    subprocess.run(
        [sys.executable, str(child), str(seed), str(kills), work], check=True,
        env={**os.environ, **environ, "DELIVERED": str(folder), "PYTHONPATH": path},
    )  # fmt: skip
