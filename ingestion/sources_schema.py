"""The JSON schema of sources.yml, for editors: kinds, entities and their columns of this release.

Made from the very models that check the file; `khach config check` knows more.
"""

from typing import Any

from ingestion.entities import ENTITIES
from ingestion.mapping import PART
from ingestion.registry import MODULES, source_spec
from ingestion.spec import SourceConfig
from khach.json_schema import json_schema


def kind_schema(kind: str) -> dict[str, Any]:
    """JSON schema of one source of a kind, whose name is the key above it."""
    schema = json_schema(source_spec(kind).settings)
    del schema["properties"]["name"]
    schema["required"].remove("name")
    schema["properties"]["kind"]["description"] = SourceConfig.model_fields["kind"].description
    return schema


def sources_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of sources.yml, with this release's kinds and entities."""
    kinds = {kind: kind_schema(kind) for kind in MODULES}
    definitions = {f"entity_{name}": _entity(columns) for name, columns in ENTITIES.items()}
    for kind, schema in kinds.items():
        definitions |= schema.pop("$defs", {})
        if "tables" in schema["properties"]:
            _only_entities(schema["properties"]["tables"])
        definitions[kind] = {key: value for key, value in schema.items() if key != "$schema"}
    name = json_schema(SourceConfig)["properties"]["name"]
    source = {
        "type": "object",
        "properties": {"kind": {"enum": list(MODULES)}},
        "required": ["kind"],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in MODULES
        ],
    }
    return {
        "$schema": kinds["files"]["$schema"],
        "title": "sources.yml of Khách",
        "type": "object",
        "properties": {
            "sources": {
                "type": "object",
                "description": "A source's name to its settings.",
                "propertyNames": {"pattern": name["pattern"]},
                "additionalProperties": source,
            }
        },
        "required": ["sources"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _entity(columns: Any) -> dict[str, Any]:
    """What `check_tables` wants of a table of an entity with these columns."""
    known: dict[str, Any] = {"properties": {name: {} for name in columns},
                             "additionalProperties": False}  # fmt: skip
    return {"properties": {"columns": {**known, "required": [next(iter(columns))]},
                           "constants": known}}  # fmt: skip


def _only_entities(tables: dict[str, Any]) -> None:
    table = tables["additionalProperties"]
    tables["properties"] = {name: {} for name in ENTITIES}
    tables["patternProperties"] = {
        f"^{name}({PART.pattern})?$": {"allOf": [table, {"$ref": f"#/$defs/entity_{name}"}]}
        for name in ENTITIES
    }
    tables["additionalProperties"] = False
