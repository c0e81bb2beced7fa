"""A hand-made lake with a few rows, and dbt on it: the modelling tests' stand-in for ingestion."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from khach.environment import Environment
from khach.state import open_state
from orchestration.dbt_child import say_only_what_is_heard

SHOP = {"name": "shop", "kind": "files", "namespace": "shop", "area": "web", "currency": "VND"}
TILLS = {"name": "tills", "kind": "sql", "namespace": "tills", "area": "pos", "currency": "VND"}
WEB = {"name": "web", "kind": "segment", "namespace": "shop", "area": "web", "currency": "VND"}
MAIL = {"name": "mail", "kind": "mailchimp", "namespace": "mail", "area": "email"}


PARSED: dict[str, Any] = {}  # project and variables -> dbt's manifest
QUIETLY = ("--quiet", "--log-level-file", "none")  # as the product runs it
say_only_what_is_heard()


@dataclass
class TinyLake:
    """Parquet files and verdicts as ingestion leaves them, and the dbt build that reads them."""

    env: Environment
    project: Path
    sources: list[dict[str, Any]]
    as_of: str = "2026-03-31 17:00:00"
    variables: dict[str, Any] = field(default_factory=dict)
    # Made-up people have few names and numbered addresses: likeness would find them all alike.
    has_likeness: bool = False

    def land(
        self, source: str, table: str, load_id: str, rows: list[dict[str, Any]], verdict: str
    ) -> None:
        """Write one load of one table and record its verdict."""
        folder = self.env.lake / f"raw_{source}" / table
        folder.mkdir(parents=True, exist_ok=True)
        columns = {key: None for row in rows for key in row}
        numbered = [
            {"_file": "delivered.csv", "_row": number, "_is_kept": True, **columns, **row}
            for number, row in enumerate(rows, start=1)
        ]
        pq.write_table(pa.Table.from_pylist(numbered), folder / f"{load_id}.0.parquet")
        record = {"load_id": load_id, "status": 0, "inserted_at": "2026-03-31T00:00:00+00:00"}
        commits = self.env.lake / f"raw_{source}" / "_dlt_loads"
        commits.mkdir(exist_ok=True)
        (commits / f"{source}__{load_id}.jsonl").write_text(json.dumps(record))
        self.judge(source, load_id, verdict)
        with open_state(self.env) as state:
            state.execute(
                "insert or replace into load_tables values (?, ?, ?, ?, ?, 0)",
                [source, load_id, table, len(rows), len(rows)],
            )

    def judge(self, source: str, load_id: str, verdict: str) -> None:
        """Record a verdict, or change it."""
        with open_state(self.env) as state:
            state.execute(
                "insert or replace into loads (source, load_id, landed_at, verdict) "
                "values (?, ?, timestamp '2026-03-31 00:00:00', ?)",
                [source, load_id, verdict],
            )

    def build(self, *arguments: str) -> None:
        """Build models with their tests; AssertionError names what failed."""
        failures = self.failures("build", "--exclude-resource-type", "unit_test", *arguments)
        assert not failures, failures

    def failures(self, *arguments: str) -> dict[str, str]:
        """Run dbt in this process, which saves its start; nothing is written into the checkout."""
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        with open_state(self.env):
            pass  # migrated
        defaults = yaml.safe_load((self.project / "dbt_project.yml").read_text(encoding="utf-8"))
        identity = defaults["vars"]["identity"]
        identity["matching"]["enabled"] = self.has_likeness
        parsed = {"sources": self.sources, "as_of": self.as_of, "run_id": "test",
                  "identity": identity, **self.variables}  # fmt: skip
        places = {"lake": str(self.env.lake), "config_dir": str(self.env.config)}
        options = [
            *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
            *("--target-path", str(self.env.dbt_target), "--log-path", str(self.env.logs)),
            *("--vars", json.dumps(parsed | places)),
        ]
        key = f"{self.project} {json.dumps(parsed)}"
        try:
            if key not in PARSED:  # parsing is the slow part, and where the lake is says nothing
                PARSED[key] = dbtRunner().invoke([*QUIETLY, "parse", *options]).result
            done = dbtRunner(manifest=PARSED[key]).invoke([*QUIETLY, *arguments, *options])
        finally:
            DuckDBConnectionManager.close_all_connections()
        if done.exception:
            raise done.exception
        bad = ("error", "fail", "skipped", "runtime error")
        return {r.node.name: r.message for r in done.result if str(r.status) in bad}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query over the warehouse with the state file attached."""
        with duckdb.connect(str(self.env.warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute(f"attach '{self.env.state}' as state (read_only)")
            return connection.execute(query).fetchall()
