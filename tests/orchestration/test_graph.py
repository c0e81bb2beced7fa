"""The code location: every asset by name, and an unbroken line from source table to channel."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckKey, AssetKey, Definitions

from khach.configuration import write_dbt_vars
from khach.environment import PROJECT, Environment
from orchestration.assets import HOURLY_JOB
from orchestration.graph import JOB, build_definitions
from orchestration.manifest import dbt_arguments, run_values

RAW = {"raw_shop/orders", "raw_shop/customers", "raw_desk/survey_responses"}
PLANS = {"plan/cart_email", "plan/cart_file"}
CHANNELS = {"activation/mailchimp/cart_email", "activation/file_drop/cart_file"}


@pytest.fixture
def definitions(shop: Environment, manifest: Mapping[str, Any]) -> Definitions:
    return build_definitions(shop, manifest)


def _names(keys: Any) -> set[str]:
    return {key.to_user_string() for key in keys}


def _models(manifest: Mapping[str, Any]) -> set[str]:
    """Every model and seed that is built; with what no source maps, every file of the project."""
    project = PROJECT / "dbt_project"
    files = {
        path.stem
        for folder, endings in (("models", (".sql", ".py")), ("seeds", (".csv",)))
        for path in (project / folder).rglob("*")
        if path.suffix in endings
    }
    disabled = [node for nodes in manifest["disabled"].values() for node in nodes]
    built, idle = (
        {node["name"] for node in nodes if node["resource_type"] in ("model", "seed")}
        for nodes in (manifest["nodes"].values(), disabled)
    )
    assert files == built | idle
    assert "stg_entities__orders" in built
    assert "stg_entities__calls" in idle
    assert all(name.startswith(("stg_", "base_")) for name in idle), "only staging may be idle"
    return built


def test_every_asset_is_named_after_where_it_lives(
    definitions: Definitions, manifest: Mapping[str, Any]
) -> None:
    names = _names(definitions.resolve_asset_graph().get_all_asset_keys())
    ours = RAW | PLANS | CHANNELS | {"published/snapshot"}
    assert ours <= names
    models = {tuple(name.split("/")) for name in names - ours}
    assert {name for _, name in models} == _models(manifest)
    assert {schema for schema, _ in models} <= {
        "staging", "intermediate", "identity", "main", "state",
    }  # fmt: skip


def test_lineage_runs_from_each_source_table_to_each_channel(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()

    def downstream(key: AssetKey) -> set[str]:
        seen: set[AssetKey] = set()
        waiting = [key]
        while waiting:
            for child in graph.get(waiting.pop()).child_keys - seen:
                seen.add(child)
                waiting.append(child)
        return _names(seen)

    for raw in RAW:
        assert CHANNELS | PLANS | {"published/snapshot"} <= downstream(AssetKey(raw.split("/")))
    staged = graph.get(AssetKey(["staging", "stg_entities__orders"])).parent_keys
    assert AssetKey(["raw_shop", "orders"]) in staged


def test_gates_block_at_landing_at_the_marts_and_at_the_exit(definitions: Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    gates = {
        *(AssetCheckKey(AssetKey(raw.split("/")), "landing") for raw in RAW),
        AssetCheckKey(AssetKey(["main", "customers"]), "marts"),
        AssetCheckKey(AssetKey(["main", "kpi_values"]), "marts"),
        *(AssetCheckKey(AssetKey(plan.split("/")), "audience_exit") for plan in PLANS),
    }
    assert gates <= set(graph.asset_check_keys)
    assert all(graph.get(gate).blocking for gate in gates)


def test_the_daily_job_holds_everything_and_is_scheduled_in_the_business_time_zone(
    definitions: Definitions,
) -> None:
    job = definitions.resolve_job_def(JOB)
    graph = definitions.resolve_asset_graph()
    assert set(job.asset_layer.executable_asset_keys) == set(graph.materializable_asset_keys)
    schedule = definitions.resolve_schedule_def(f"{JOB}_schedule")
    assert schedule.execution_timezone == "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("ingest", RAW), ("publish", {"published/snapshot"}), ("sync", PLANS | CHANNELS)],
)
def test_a_stage_alone_selects_its_assets(
    shop: Environment, manifest: Mapping[str, Any], stage: str, expected: set[str]
) -> None:
    job = build_definitions(shop, manifest, stages=[stage]).resolve_job_def(JOB)
    assert _names(job.asset_layer.executable_asset_keys) == expected


def test_the_check_stage_alone_runs_the_gate_and_builds_nothing(
    shop: Environment, manifest: Mapping[str, Any]
) -> None:
    job = build_definitions(shop, manifest, stages=["check"]).resolve_job_def(JOB)
    assert [node.name for node in job.nodes] == ["marts_gate"]


def test_two_runs_have_the_same_dbt_vars_so_that_the_project_is_not_parsed_again(
    shop: Environment,
) -> None:
    said = []
    for day in (1, 2):
        moment = datetime(2026, 6, day, 17, tzinfo=UTC)
        write_dbt_vars(shop, as_of=moment, run_id=f"run{day}")
        said.append(dbt_arguments(shop, "build"))
        assert run_values(shop) == {
            "KHACH_DBT_AS_OF": f"2026-06-0{day} 17:00:00",
            "KHACH_DBT_RUN_ID": f"run{day}",
            "KHACH_DBT_IS_REPLAY": "False",
        }
    assert said[0] == said[1]


def test_the_code_location_loads_and_stays_short(
    shop: Environment, manifest: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import orchestration.manifest

    write_dbt_vars(shop)
    monkeypatch.setattr(orchestration.manifest, "load_manifest", lambda _env: manifest)
    from orchestration.definitions import defs

    assert defs.resolve_job_def(JOB).name == JOB
    source = Path(PROJECT, "orchestration", "definitions.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) < 30


def test_the_hourly_job_is_light_and_its_tests_see_no_stale_model(
    definitions: Definitions, manifest: Mapping[str, Any]
) -> None:
    layer = definitions.resolve_job_def(HOURLY_JOB).asset_layer
    names = _names(layer.executable_asset_keys)
    assert {"plan/cart_email", "activation/mailchimp/cart_email", "main/customers"} <= names
    assert {"published/snapshot", *RAW} <= names
    assert not {"plan/cart_file", "main/kpi_values", "main/attribution"} & names, "not hourly"
    tests = {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "test"}
    judged = [tests[key.name] for key in layer.asset_graph.asset_check_keys if key.name in tests]
    assert len(judged) > 50
    built = {name.partition("/")[2] for name in names}
    for test in judged:
        models = {
            manifest["nodes"][key]["name"]
            for key in test["depends_on"]["nodes"]
            if key in manifest["nodes"]
        }
        assert models <= built, test["name"]
    daily = definitions.resolve_job_def(JOB).asset_layer.executable_asset_keys
    assert len(names) < len(daily) - 40
