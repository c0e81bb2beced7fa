"""The JSON schema of audience files, for editors: made from the very model that checks them.

An editor that follows `# yaml-language-server: $schema=` completes keys, channels and columns, and
marks what cannot be right while it is written; `khach audiences check` knows more (docs/sync.md).
"""

import json
from pathlib import Path
from typing import Any

from activation.audience_file import Audience
from activation.channels import CHANNELS
from activation.channels.capabilities import VARIABLE
from activation.contract import mart_columns
from khach.environment import Environment
from khach.json_schema import json_schema

FILE = "audience.schema.json"
_JSON_TYPES = {
    "boolean": "boolean", "integer": "integer", "bigint": "integer", "double": "number",
    "decimal": "number",
}  # fmt: skip


def audience_schema(env: Environment) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of an audience file, with this release's channels and columns."""
    columns = mart_columns(env, "customers")
    schema = json_schema(Audience)
    schema["title"] = "An audience of Khách"
    definitions = schema["$defs"]
    schema["oneOf"] = [{"required": ["where"]}, {"required": ["model"]}]
    schema["properties"]["examples"]["items"] = _example(columns)
    definitions["Sync"]["allOf"] = [_of_channel(name) for name in sorted(CHANNELS)]
    # Columns are offered; a message's text is free.
    definitions["Sync"]["properties"]["fields"]["additionalProperties"] = {
        "anyOf": [{"enum": list(columns)}, {"type": "string"}]
    }
    return schema


def write_schema(env: Environment) -> Path:
    """Put the schema beside the audiences folder, where the files' first line looks for it."""
    target = env.config / FILE
    text = json.dumps(audience_schema(env), ensure_ascii=False, indent=2)
    target.write_text(f"{text}\n", encoding="utf-8")
    return target


def _of_channel(name: str) -> dict[str, Any]:
    """What a sync of this channel must look like, by what the channel declares."""
    able = CHANNELS[name].capabilities
    remote: dict[str, Any] = {
        key: {"pattern": f"^{VARIABLE.pattern}$"}
        if kind == "variable"
        else {"enum": list(kind)}
        if kind
        else {"type": "string"}
        for key, kind in able.remote.items()
    }
    then: dict[str, Any] = {
        "properties": {
            "kind": {"enum": sorted(able.kinds)},
            "remote": {
                "properties": remote,
                "required": sorted(remote),
                "additionalProperties": False,
            },
            "fields": {
                "propertyNames": {"pattern": f"^(?:{able.field_name.pattern})$"},
                "required": sorted(able.required_fields),
            },
        }
    }
    if able.consent_channel is None:
        then["required"] = ["consent_channel"]
    else:
        then["properties"]["consent_channel"] = {"enum": [able.consent_channel, None]}
    return {"if": {"properties": {"channel": {"const": name}}, "required": ["channel"]},
            "then": then}  # fmt: skip


def _example(columns: dict[str, str]) -> dict[str, Any]:
    """One row of `examples`: any column, each of its own type, or null."""
    properties: dict[str, Any] = {
        "in": {"type": "boolean", "description": "Whether this customer belongs in."},
        "as_of": {"description": "The present of the example: a date. Needed where the rule "
                                 "uses as_of."},
        "segments": {"type": "array", "items": {"type": "string"},
                     "description": "The segments, of those the rule asks for, that they are in."},
    }  # fmt: skip
    for name, data_type in columns.items():
        kind = _JSON_TYPES.get(data_type.split("(")[0].lower())
        properties[name] = {"type": [kind, "null"]} if kind else {}
    return {
        "type": "object",
        "properties": properties,
        "required": ["in"],
        "additionalProperties": False,
    }
