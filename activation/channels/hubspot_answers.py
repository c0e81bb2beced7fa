"""What HubSpot says of the contacts of a batch, read row by row: results, and errors of a 207.

Page: https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-upsert
"""

from collections.abc import Mapping, Sequence
from typing import Any

from activation.channels.base import Outcome
from activation.channels.sending import masked_values
from khach.errors import ConfigError

_NAMING = ("objectWriteTraceId", "id", "ids")
_UNTOLD = Outcome("unknown", "no_result")


def written(inputs: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]) -> dict[str, Outcome]:
    """What became of each input of a batch upsert, by its trace; a handle is a record id."""
    by_trace = [str(entry["objectWriteTraceId"]) for entry in inputs]
    by_email = dict(zip((entry["id"].lower() for entry in inputs), by_trace, strict=True))
    found = {}
    for result in answer.get("results", []):
        email = str(result.get("properties", {}).get("email") or "").lower()
        trace = str(result.get("objectWriteTraceId") or by_email.get(email))
        # A contact that no row of ours is known by must not come into the list.
        if trace in by_trace:
            found[trace] = Outcome("acknowledged", handle=str(result["id"]))
    silent = [one for one in by_trace if one not in found]
    return found | _refusals(answer.get("errors", []), inputs, silent, by_email)


def require_properties(inputs: Sequence[Mapping[str, Any]], answer: dict[str, Any]) -> None:
    """ConfigError when a refusal says that a property of the sync does not exist."""
    codes = {error.get("code") for error in answer.get("errors") or []}
    if "PROPERTY_DOESNT_EXIST" in codes:
        raise ConfigError(
            f"HubSpot does not have a property of this sync: {words_of(answer, inputs)}",
            fix="create it in the portal's settings, or take another name in `fields`",
        )


def words_of(answer: Mapping[str, Any], inputs: Sequence[Mapping[str, Any]] = ()) -> str:
    """The platform's own words, without what these inputs say of people."""
    details = "; ".join(str(error.get("message")) for error in answer.get("errors") or [])
    told = [value for entry in inputs for value in (entry["id"], *entry["properties"].values())]
    return masked_values(" ".join(filter(None, (str(answer.get("message") or ""), details))), told)


def _refusals(
    errors: Sequence[dict[str, Any]],
    inputs: Sequence[Mapping[str, Any]],
    silent: Sequence[str],
    by_email: Mapping[str, str],
) -> dict[str, Outcome]:
    """What became of the rows without a result: errors name them by trace or by e-mail.

    A row that no error names is unknown, unless the errors that name nobody are just as many.
    """
    found: dict[str, Outcome] = {}
    nameless = []
    for error in errors:
        context = error.get("context") or {}
        named = [str(one) for key in _NAMING for one in context.get(key, [])]
        traces = {by_email.get(one.lower(), one) for one in named}.intersection(silent)
        refused = Outcome("rejected", str(error.get("category")), words_of(error, inputs))
        found |= dict.fromkeys(traces, refused)
        if not traces:
            nameless.append(refused)
    rest = [trace for trace in silent if trace not in found]
    told = nameless[0] if nameless and len(nameless) == len(rest) else _UNTOLD
    return found | dict.fromkeys(rest, told)
