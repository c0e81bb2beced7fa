"""An installation with two small file sources and the sandbox's audience; dbt parsed once."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from khach.configuration import write_dbt_vars
from khach.environment import PROJECT, Environment
from orchestration.manifest import load_manifest

SOURCES = """\
sources:
  shop:
    kind: files
    area: web
    folder: {folder}
    tables:
      orders:
        from: orders-*.csv
        columns: {{order_id: id, user_id: who, ordered_at: at, status: status}}
        constants: {{currency: VND}}
      customers:
        from: people-*.csv
        columns: {{record_id: id, user_id: id, email: email}}
  desk:
    kind: files
    area: crm
    folder: {folder}
    tables:
      survey_responses:
        from: answers-*.csv
        columns: {{response_id: id, user_id: who, score: score}}
"""


def install(env: Environment, folder: Path) -> None:
    """Write a configuration; data is looked for in `folder`."""
    template = PROJECT / "khach" / "templates" / "sandbox"
    for name in ("settings.yml", "policy.yml"):
        shutil.copy(template / name, env.config / name)
    (env.config / "audiences").mkdir()
    carts = Path("audiences", "cart_abandoners.yml")
    audience = yaml.safe_load((template / carts).read_text(encoding="utf-8"))
    audience["syncs"] = [sync for sync in audience["syncs"] if sync["kind"] == "membership"]
    (env.config / carts).write_text(yaml.safe_dump(audience), encoding="utf-8")
    (env.config / "sources.yml").write_text(SOURCES.format(folder=folder), encoding="utf-8")


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """dbt's manifest for the configuration of these tests."""
    root = tmp_path_factory.mktemp("manifest")
    env = Environment("dev", root / "home", root / "config", root)
    env.config.mkdir()
    install(env, root)
    write_dbt_vars(env)
    return load_manifest(env)


@pytest.fixture(scope="session")
def short_manifest(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with four models, so that a run of the job is short: staging feeds two marts."""
    staging = ("stg_entities__orders", "stg_entities__customers", "stg_entities__survey_responses")
    parents = [f"model.khach.{name}" for name in staging]
    marts = ["model.khach.orders", "model.khach.customers"]
    nodes = {
        key: {**manifest["nodes"][key], "depends_on": {"nodes": [], "macros": []}}
        for key in parents
    } | {
        key: {**manifest["nodes"][key], "depends_on": {"nodes": parents, "macros": []}}
        for key in marts
    }
    return {
        **manifest,
        "nodes": nodes,
        "unit_tests": {},
        "parent_map": {key: [] for key in parents} | dict.fromkeys(marts, parents),
        "child_map": dict.fromkeys(parents, marts) | {key: [] for key in marts},
    }


@pytest.fixture
def shop(env: Environment, tmp_path: Path) -> Environment:
    """An installed environment; nothing was ever run in it."""
    install(env, tmp_path / "delivered")
    return env
