"""The contracted columns that audience files may use: the enforced dbt contracts of the marts."""

import functools
from collections.abc import Mapping
from pathlib import Path

import yaml

from khach.environment import Environment
from khach.errors import ConfigError


def mart_columns(env: Environment, table: str) -> dict[str, str]:
    """Column name -> data type of a published mart, in the order of its contract.

    Raises ConfigError when no model of that name stands under `dbt_project/models/marts`.
    """
    found = _contracts(env.dbt_project / "models" / "marts").get(table)
    if found is None:
        raise ConfigError(
            f"there is no mart {table!r} with a contract",
            fix="an audience rule reads `customers`, or a model named aud_<name>",
        )
    return dict(found)


@functools.cache
def _contracts(folder: Path) -> Mapping[str, dict[str, str]]:
    """All models of the marts; read once per process, the project does not change under it."""
    models = [
        model
        for path in sorted(folder.rglob("*.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []
    ]
    return {
        model["name"]: {
            column["name"]: str(column["data_type"])
            for column in model.get("columns") or []
            if "data_type" in column
        }
        for model in models
    }
