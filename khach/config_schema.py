"""JSON schemas of the configuration's YAML files, by which editors complete and check them."""

from typing import Any

from khach.environment import Environment
from khach.errors import ConfigError

FILES = ("settings", "identity", "sources", "policy", "audience")


def config_schema(env: Environment, file: str) -> dict[str, Any]:
    """The JSON schema of one of `FILES`; ConfigError for another name."""
    from activation.audience_schema import audience_schema
    from activation.policy import PolicyFile
    from ingestion.sources_schema import sources_schema
    from khach.config_mistakes import suggest
    from khach.identity_settings import IdentitySettings
    from khach.json_schema import json_schema
    from khach.settings import Section, Settings

    if file not in FILES:
        raise ConfigError(f"there is no schema {file!r}", fix=suggest(file, FILES))
    if file == "sources":
        return sources_schema()
    if file == "audience":
        return audience_schema(env)
    models: dict[str, type[Section]]
    models = {"settings": Settings, "identity": IdentitySettings, "policy": PolicyFile}
    return {**json_schema(models[file]), "title": f"{file}.yml of Khách"}
