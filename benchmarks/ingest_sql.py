"""A PostgreSQL table of receipt lines into the lake, against COPY (csv) piped into DuckDB.

Both are new processes that run in turn; both keep the declared types. KHACH_BENCH_ROWS makes it
smaller.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from sandbox import postgres

BAR = 0.75
RUNS = 3
SOURCES = """sources:
  tills:
    kind: sql
    area: pos
    url_env: BENCH_TILLS_URL
    tables:
      order_lines:
        from: receipt_lines
        cursor: updated_at
        columns: {order_line_id: receipt_line_id, order_id: receipt_id, product_id: product_id,
                  units: quantity, unit_price: unit_price, discount: discount,
                  line_amount: amount, updated_at: updated_at}
"""
TABLE = """create table receipt_lines (receipt_line_id text primary key, receipt_id text,
    product_id text, quantity integer, unit_price numeric(14,2), discount numeric(14,2),
    amount numeric(14,2), updated_at timestamptz)"""
FILL = """insert into receipt_lines select 'RL' || lpad(i::text, 8, '0'), 'R' || lpad((i / 3)::text,
    8, '0'), 'P' || i % 9000, 1 + i % 5, (1000 + i % 99999) / 100.0, (i % 7) / 10.0,
    (1000 + i % 99999) * (1 + i % 5) / 100.0, timestamptz '2024-01-01 08:00+07'
    + make_interval(secs => i * 7) from generate_series(1, {rows}) as i"""
OURS = """
import os
from ingestion.run import ingest
from khach.environment import load_environment
load = ingest(load_environment(), "tills")
assert load.tables["order_lines"].rows_landed == int(os.environ["BENCH_ROWS"])
"""
THEIRS = """
import duckdb, sys
types = {"receipt_line_id": "VARCHAR", "receipt_id": "VARCHAR", "product_id": "VARCHAR",
         "quantity": "INTEGER", "unit_price": "DECIMAL(14,2)", "discount": "DECIMAL(14,2)",
         "amount": "DECIMAL(14,2)", "updated_at": "TIMESTAMPTZ"}
duckdb.execute("set enable_progress_bar = false")
duckdb.execute(f"copy (from read_csv('/dev/stdin', header=false, auto_detect=false, delim=',', "
               f"columns={types})) to '{sys.argv[1]}' (format parquet)")
"""


def run() -> bool:
    """Compare medians; below the bar, or with a run that lost a row, it falls short."""
    rows = int(os.environ.get("KHACH_BENCH_ROWS", "5000000"))
    with tempfile.TemporaryDirectory(prefix="khach-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server has a user of its own
        url, *_ = postgres.start(folder, "bench")
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                for statement in (TABLE, FILL.format(rows=rows), "vacuum analyze receipt_lines"):
                    connection.execute(statement.encode())
            pairs = [(_theirs(folder, url), _ours(folder, url, rows)) for _ in range(RUNS)]
            empty = _ours(folder, url, rows, is_new=False)
        finally:
            postgres.stop(folder)
    theirs, ours = (statistics.median(side) for side in zip(*pairs, strict=True))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"ingest_sql: a run with nothing new {empty:.2f} s; largest process {peak:.0f} MiB")
    print(
        f"ingest_sql: {rows:,} rows in {ours:.2f} s, COPY (csv) into DuckDB {theirs:.2f} s, "
        f"ratio {theirs / ours:.2f} (bar {BAR})"
    )
    return theirs / ours >= BAR


def _theirs(folder: Path, url: str) -> float:
    copy = ["-qc", "copy receipt_lines to stdout (format csv)", url]
    started = time.perf_counter()
    with subprocess.Popen([postgres.binaries() / "psql", *copy], stdout=subprocess.PIPE) as server:
        target = str(folder / "theirs.parquet")
        subprocess.run([sys.executable, "-c", THEIRS, target], stdin=server.stdout, check=True)
    return time.perf_counter() - started


def _ours(folder: Path, url: str, rows: int, *, is_new: bool = True) -> float:
    if is_new:
        subprocess.run(["rm", "-rf", str(folder / "home")], check=True)
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "sources.yml").write_text(SOURCES)
    variables = {
        "KHACH_ENV": "dev",
        "KHACH_HOME": str(folder / "home"),
        "KHACH_CONFIG": str(folder / "config"),
        "BENCH_TILLS_URL": url,
        "BENCH_ROWS": str(rows),
    }
    code = OURS if is_new else OURS.replace("assert", "assert load is None or")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=os.environ | variables, check=True)
    return time.perf_counter() - started
