"""Great Expectations on DuckDB: one open connection, query assets, nothing written, nothing sent.

As shipped, every SQL expectation fails on DuckDB: GX hands the connection back before it reads the
cursor, and DuckDB's result dies with the connection. The engine below keeps one connection open.
Importing this module is cheap; GX itself (seconds) is imported by `warm_up` or the first gate.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from expectations.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

# Counts only: with zero partial results no value of a row ever reaches a result object.
_COUNTS_ONLY = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
# SQLAlchemy takes `:word` for a bind parameter unless the colon is escaped.
_BIND = re.compile(r"(?<![:\w\\]):(?=\w)")
_WARMING = threading.Lock()
_SEVERITIES = {"error": "critical", "warning": "warning"}


def warm_up() -> Any:
    """Import GX and make its ephemeral context, once per process; call it early in a thread."""
    with _WARMING:  # a cache alone lets two threads in, and a data source registers once only
        return _context()


@cache
def _context() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
    from great_expectations.execution_engine.sqlalchemy_execution_engine import (
        SqlAlchemyExecutionEngine,
    )

    logging.getLogger("great_expectations").setLevel(logging.ERROR)

    class DuckDBExecutionEngine(SqlAlchemyExecutionEngine):
        """Keeps one connection open, since a DuckDB result lives no longer than its connection."""

        @contextmanager
        def get_connection(self) -> Iterator[Any]:
            """The one connection of this engine."""
            if not self._connection:
                self._connection = self.engine.connect()
            yield self._connection

    class DuckDBDatasource(SQLDatasource):
        """Registers itself with GX as `data_sources.add_duckdb`."""

        type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]

        @property
        def execution_engine_type(self) -> Any:
            """The engine that keeps its connection."""
            return DuckDBExecutionEngine

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


class Gate:
    """One in-memory DuckDB on which expectations run; files are read or attached, never written."""

    def __init__(self, datasource: Any) -> None:
        self._datasource = datasource
        self._engine = datasource.get_execution_engine()
        self._assets = 0

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The DuckDB connection itself, for baselines and for registering Arrow tables."""
        with self._engine.get_connection() as connection:
            return connection.connection.driver_connection

    def register(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table readable under a name, without copying it."""
        self.connection.register(name, table)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        return self.connection.execute(sql).fetchall()

    def columns(self, relation: str) -> set[str]:
        """Column names of a relation (a table name or a subquery in parentheses)."""
        return {str(row[0]) for row in self.query(f"describe select * from {relation}")}

    def binds(self, relation: str, rules: Sequence[Rule]) -> bool:
        """Whether the relation has every column that the rules read."""
        named = [str(rule.arguments["column"]) for rule in rules if "column" in rule.arguments]
        try:
            present = self.columns(f"(select {_columns(rules)} from {relation})")
        except duckdb.BinderException:
            return False
        return present.issuperset(named)

    def validate(self, relation: str, rules: Sequence[Rule]) -> dict[str, tuple[bool, int | None]]:
        """Run all rules on one relation in one validation.

        Returns rule name -> (is_success, number of failing rows or None where rows do not fail
        one by one). Raises RuntimeError when GX could not compute a rule: a rule that cannot run
        has not passed.
        """
        import great_expectations as gx

        self._assets += 1
        query = f"select {_columns(rules)} from {relation}"
        asset = self._datasource.add_query_asset(f"asset_{self._assets}", _BIND.sub(r"\\:", query))
        batch = asset.add_batch_definition_whole_table("all").get_batch()
        suite = gx.ExpectationSuite(name=asset.name, expectations=[_build(rule) for rule in rules])
        report = batch.validate(suite, result_format=_COUNTS_ONLY)
        outcomes: dict[str, tuple[bool, int | None]] = {}
        for result in report.results:
            name = result.expectation_config.meta["rule"]
            if any(_raised(info) for info in _exceptions(result.exception_info)):
                raise RuntimeError(f"the rule {name} could not be computed")
            outcomes[name] = (bool(result.success), result.result.get("unexpected_count"))
        return outcomes


@contextmanager
def open_gate(attached: Mapping[str, Path] | None = None) -> Iterator[Gate]:
    """A gate with DuckDB files attached read-only under the given names; closed at the end."""
    context = warm_up()
    datasource = context.data_sources.add_or_update_duckdb(
        name="gate", connection_string="duckdb:///:memory:", create_temp_table=False
    )
    gate = Gate(datasource)
    try:
        gate.connection.execute("set timezone = 'UTC'")
        for name, path in (attached or {}).items():
            quoted = str(path).replace("'", "''")
            gate.connection.execute(f"attach '{quoted}' as {name} (read_only)")
        yield gate
    finally:
        gate.connection.close()
        datasource.get_execution_engine().close()
        context.data_sources.delete("gate")


def _columns(rules: Sequence[Rule]) -> str:
    flags = [f'({rule.failing}) as "{rule.name}"' for rule in rules if rule.failing]
    return ", ".join(["*", *flags])


def _build(rule: Rule) -> Any:
    import great_expectations.expectations as gxe

    expectation = getattr(gxe, rule.expectation)
    return expectation(
        **rule.arguments, severity=_SEVERITIES[rule.severity], meta={"rule": rule.name}
    )


def _exceptions(info: Any) -> list[Any]:
    """GX reports either one exception or a dictionary of them by metric."""
    if not info:
        return []
    return [info] if "raised_exception" in info else list(info.values())


def _raised(info: Any) -> bool:
    return bool(info.get("raised_exception")) if isinstance(info, dict) else bool(info)
