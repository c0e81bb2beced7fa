"""sources.yml: every source, checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingestion.registry import MODULES, source_spec
from ingestion.spec import SourceConfig
from khach.config_files import ConfigFile, parse, read_yaml
from khach.config_mistakes import suggest
from khach.errors import ConfigError, told_together

if TYPE_CHECKING:
    from khach.environment import Environment


def load_sources(env: Environment) -> list[SourceConfig]:
    """Every source of `config/sources.yml`, in the file's order.

    Each source's mistakes are raised as ConfigError with file, line, key and what would be right.
    """
    yaml = read_yaml(env.config / "sources.yml")
    if not isinstance(yaml.data, dict) or not isinstance(yaml.data.get("sources"), dict):
        raise yaml.error("missing key 'sources', a map from a source's name to its settings")
    for key in yaml.data:
        if key != "sources":
            raise yaml.error(f"unknown key {key!r}", (key,), fix="known: sources")
    sources = []
    with told_together() as each:
        for name, entry in yaml.data["sources"].items():
            with each():
                sources.append(_source(yaml, str(name), entry))
    return sources


def find_source(env: Environment, name: str) -> SourceConfig:
    """One source by name; ConfigError when sources.yml has no such source."""
    sources = {source.name: source for source in load_sources(env)}
    if name not in sources:
        raise ConfigError(
            f"there is no source {name!r}",
            file=env.config / "sources.yml",
            fix=suggest(name, list(sources)),
        )
    return sources[name]


def _source(yaml: ConfigFile, name: str, entry: Any) -> SourceConfig:
    place = ("sources", name)
    if not isinstance(entry, dict):
        raise yaml.error(f"source {name} needs a map of settings", place)
    kind = entry.get("kind")
    if kind not in MODULES:
        raise yaml.error(
            f"source {name}: unknown kind {kind!r}" if kind else f"source {name}: missing 'kind'",
            (*place, "kind"),
            fix=suggest(str(kind), list(MODULES)),
        )
    if "name" in entry:
        raise yaml.error("unknown key 'name': the key above is the name", (*place, "name"))
    lines = {key[2:]: line for key, line in yaml.lines.items() if key[:2] == place and key[2:]}
    part = ConfigFile(yaml.path, {"name": name, **entry}, lines)
    try:
        source = parse(part, source_spec(kind).settings)
    except ConfigError as mistake:
        raise ConfigError.first_of(
            yaml.error(one.message, (*place, *(one.key or "").split(".")), fix=one.fix)
            for one in mistake.each()
        ) from None
    source.placed(yaml).check()
    return source
