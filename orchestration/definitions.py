"""Dagster's code location: `dagster dev -m orchestration.definitions`."""

from khach.configuration import write_dbt_vars
from khach.environment import load_environment
from orchestration.graph import build_definitions
from orchestration.instance import prepare_home
from orchestration.manifest import load_manifest

_env = load_environment()
prepare_home(_env)
if not _env.dbt_vars.exists():
    write_dbt_vars(_env)
defs = build_definitions(_env, load_manifest(_env))
