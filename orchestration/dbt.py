"""The dbt project in Dagster: one op for all of it, streamed, judged by its results."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version as installed
from typing import Any

from dagster import AssetDep, AssetExecutionContext, AssetKey, AssetsDefinition, AssetSpec
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
from packaging.version import Version

from khach.environment import Environment
from khach.errors import KhachError
from khach.redact import redact
from orchestration.dbt_results import (
    check_results,
    forget_results,
    read_results,
    runtime_problem,
    safe,
)
from orchestration.manifest import DBT_MODULE, dbt_arguments, run_values
from orchestration.session import Session, StepFailed

# Which raw tables a staging folder serves: kinds of sources by the middle of `stg_<kind>__<table>`.
_KINDS = {"entities": ("files", "sql", "twilio")}


class QuietDbt(DbtCliResource):
    """dbt without what costs seconds or leaves the machine before it even starts."""

    @property
    def _cli_version(self) -> Version:
        # The base class runs `dbt --version`, which asks the package index for newer ones.
        return Version(installed("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002
        # Only for row counts and column metadata, which we do not fetch; imports dbt's adapters.
        return None


class Translator(DagsterDbtTranslator):
    """Keys are [schema, name]; staging models hang on the raw tables they read."""

    def __init__(self, sources: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        self._sources = sources

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> AssetSpec:
        """The spec of one model, seed or source."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        raw = [AssetDep(key) for key in upstream_tables(node, self._sources)]
        return spec.replace_attributes(
            key=asset_key(node), group_name=_group(node), deps=[*spec.deps, *raw]
        )


def asset_key(node: Mapping[str, Any]) -> AssetKey:
    """[schema, name], or [state, name] for what is kept in the state file."""
    schema = "state" if node.get("database") == "state" else node["schema"]
    return AssetKey([schema, node.get("alias") or node["name"]])


def upstream_tables(
    node: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]
) -> list[AssetKey]:
    """The raw tables that a staging model reads through the macro `raw_files`."""
    prefix, _, table = node["name"].partition("__")
    if node["resource_type"] != "model" or not prefix.startswith("stg_") or not table:
        return []
    kind = prefix.removeprefix("stg_")
    kinds = _KINDS.get(kind, (kind,))
    return [
        AssetKey([f"raw_{source['name']}", part])
        for source in sources
        if source["kind"] in kinds
        for part in source["tables"]
        if table in (part, part.partition("__")[0])
    ]


def build_dbt_assets(
    env: Environment, manifest: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]
) -> AssetsDefinition:
    """One op: `dbt build` of the whole project (unit tests belong to the test command)."""

    @dbt_assets(
        manifest=manifest,
        name="dbt_build",
        dagster_dbt_translator=Translator(sources),
        required_resource_keys={"session"},
        pool="warehouse",
    )
    def dbt_build(context: AssetExecutionContext) -> Iterator[Any]:
        session: Session = context.resources.session
        yield from _build(context, env, manifest, session)

    return dbt_build


def _build(
    context: AssetExecutionContext, env: Environment, manifest: Mapping[str, Any], session: Session
) -> Iterator[Any]:
    session.attempt("build", session.write_vars)
    session.progress.step("build the models", len(manifest["nodes"]))
    forget_results(env)
    os.environ.update(run_values(env))
    arguments = [*dbt_arguments(env, "build"), "--exclude-resource-type", "unit_test"]
    dbt = QuietDbt(
        project_dir=str(env.dbt_project),
        profiles_dir=str(env.dbt_project),
        dbt_executable=sys.executable,
        global_config_flags=list(DBT_MODULE),
    )
    invocation = dbt.cli(
        [*arguments, *(["--full-refresh"] if session.full_refresh else [])],
        context=context,
        target_path=env.dbt_target,
        raise_on_error=False,
    )
    said = _Log(env)
    events = iter(invocation.stream())
    with ended_with_us(invocation.process):
        while True:
            with redirect_stdout(said):  # dagster-dbt repeats dbt's console, values included
                event = next(events, None)
            if event is None:
                break
            session.progress.advance()
            yield event
    problem = judge_build(session, manifest, said.tail(), invocation.process.wait())
    if problem is not None:
        raise StepFailed(problem.message)


@contextmanager
def ended_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Who leaves the block early ends the process: it holds files that we need at the end."""
    try:
        yield
    except BaseException:
        process.kill()
        process.wait()
        raise


def judge_build(
    session: Session, manifest: Mapping[str, Any], said: str, returncode: int
) -> KhachError | None:
    """Record dbt's tests and keep the error that the build amounts to."""
    results = read_results(session.env)
    gate = session.record(check_results(results, manifest))
    problem = runtime_problem(results, said, returncode) or gate
    return session.note("build", problem) if problem is not None else None


class _Log(io.TextIOBase):
    """dbt's console, made safe line by line into `logs/dbt.log`; the last lines are kept."""

    def __init__(self, env: Environment) -> None:
        env.logs.mkdir(parents=True, exist_ok=True)
        self._file = (env.logs / "dbt.log").open("w", encoding="utf-8")
        self._lines: list[str] = []

    def write(self, text: str) -> int:
        """Keep and log the text."""
        cleaned = redact(safe(text))
        self._file.write(cleaned)
        self._file.flush()
        self._lines = [*self._lines[-40:], text]
        return len(text)

    def tail(self) -> str:
        """The last lines; closes the log."""
        self._file.close()
        return "".join(self._lines)


def _group(node: Mapping[str, Any]) -> str:
    """Staging, identity, customer_360, kpis ...: the innermost folder of the model."""
    folders = node["fqn"][1:-1]
    return folders[-1] if folders else node["resource_type"]
