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

FILE = "audience.schema.json"
_HELP = {
    "name": "Lower-case letters, digits, underscores; the file's name by custom. Never renamed: "
    "holdouts and history hang on it.",
    "owner": "The team that answers for it.",
    "description": "Whom it reaches, in words a marketer understands.",
    "where": "ONE true-or-false expression over columns of customers, as_of, date arithmetic and "
    "in_segment('<id>'). Either this or `model`.",
    "model": "A dbt model aud_<name> with a column customer_id, for what `where` cannot say.",
    "purpose": "The consent that each person must have given for the sync's channel.",
    "min_age": "Younger people stay out; the installation's minimum_age holds besides.",
    "priority": "Lower wins: whoever is in an audience of a lower number with a sync on the same "
    "channel stays out of this one.",
    "exclude": "Audiences whose members stay out.",
    "offer": "A code of one person's own, used as {offer_code} in the fields of messages.",
    "holdout": "The share, 0 to 1, never contacted, so that the effect can be measured.",
    "syncs": "Where it goes to.",
    "guards": "Limits that hold a plan until a person releases it by name.",
    "examples": "Customers the rule must judge as `in` says; columns left out are null.",
    "id": "Unique over all audiences; never reused.",
    "kind": "membership: who is in a list. message: one send per entry into the audience.",
    "channel": "The destination.",
    "consent_channel": "For channels that have none of their own: the consent that is needed.",
    "remote": "Where at the channel. In capitals: the NAME of an environment variable.",
    "mode": "mirror: who leaves the audience leaves the list. add_only: nobody is removed.",
    "on_enter": "Once per entry, not again for cool_down_days, not after valid_for_hours.",
    "fields": "The channel's field: a column of customers (lists), a text with {columns} "
    "(messages).",
    "send_window": "Local hours in which it may go out, HH:MM-HH:MM.",
    "cadence": "How often it is planned.",
    "cool_down_days": "Days before the same person may get the next message of this sync.",
    "valid_for_hours": "So long after the entry the message still makes sense.",
    "prefix": "How each code begins: capitals and digits.",
    "valid_days": "Days until a code expires.",
    "max_removal_share": "The most that may leave at once, as a share of the members.",
    "max_removals": "The most members that may leave at once.",
    "min_size": "Fewer members hold the plan.",
    "max_size": "More members hold the plan.",
    "max_change_share": "How far the size may move from one plan to the next.",
    "max_input_age_hours": "How old the published marts may be.",
}  # fmt: skip
_JSON_TYPES = {
    "boolean": "boolean", "integer": "integer", "bigint": "integer", "double": "number",
    "decimal": "number",
}  # fmt: skip


def audience_schema(env: Environment) -> dict[str, Any]:
    """JSON schema (draft 2020-12) of an audience file, with this release's channels and columns."""
    columns = mart_columns(env, "customers")
    schema = Audience.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "An audience of Khách"
    definitions = schema.get("$defs", {})
    for part in (schema, *definitions.values()):
        for name, key in part.get("properties", {}).items():
            key.pop("title", None)
            if name in _HELP:
                key["description"] = _HELP[name]
    schema["oneOf"] = [{"required": ["where"]}, {"required": ["model"]}]
    schema["properties"]["examples"]["items"] = _example(columns)
    sync = definitions["Sync"]["properties"]
    sync["channel"]["enum"] = sorted(CHANNELS)
    definitions["Sync"]["allOf"] = [_of_channel(name) for name in sorted(CHANNELS)]
    # Columns are offered; a message's text is free.
    sync["fields"]["additionalProperties"] = {
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
