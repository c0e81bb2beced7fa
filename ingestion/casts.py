"""SQL of texts as typed values: exactly what the text says, or not at all."""

from __future__ import annotations

import re

from ingestion.parquet import literal

_DECIMAL = re.compile(r"DECIMAL\([0-9]+,([0-9]+)\)")


def typed(text: str, type_: str) -> str:
    """SQL: a text as `type_`, NULL when it is not one; a time's offset is applied, then dropped."""
    if type_ == "TIMESTAMP":
        return f"cast(try_cast({text} as timestamptz) as timestamp)"
    return f"try_cast({text} as {type_})"


def misfit(text: str, type_: str) -> str:
    """SQL: whether a text is there and is not `type_`, or would have to be rounded to be one."""
    bad = f"{typed(text, type_)} is null"
    found = _DECIMAL.fullmatch(type_)
    if found or type_ == "BIGINT":
        places = found[1] if found else "0"
        # Comparing the number with a wider one would only move the place where it is rounded.
        exact = rf"^\s*[+-]?[0-9]*([.][0-9]{{0,{places}}}0*)?\s*$"
        bad = f"({bad} or not regexp_matches({text}, {literal(exact)}))"
    return f"{text} is not null and {bad}"
