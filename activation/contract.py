"""The contracted columns that audience files may use: the enforced dbt contracts of the marts."""

from khach.config_files import read_yaml
from khach.environment import Environment
from khach.errors import ConfigError


def mart_columns(env: Environment, table: str) -> dict[str, str]:
    """Column name -> data type of a published mart, in the order of its contract.

    Raises ConfigError when no model of that name stands under `dbt_project/models/marts`.
    """
    for path in sorted((env.dbt_project / "models" / "marts").rglob("*.yml")):
        for model in read_yaml(path).data.get("models") or []:
            if model["name"] == table:
                return {c["name"]: str(c["data_type"]) for c in model["columns"]}
    raise ConfigError(
        f"there is no mart {table!r} with an enforced contract",
        fix="an audience rule reads `customers`, or a model named aud_<name>",
    )
