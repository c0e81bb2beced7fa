"""The list of people and numbers nobody may contact: a CSV file beside policy.yml."""

import csv
import hashlib
import re
from pathlib import Path

import pyarrow as pa

from khach.config_csv import header_remedy
from khach.contacts import parse_email, parse_phone
from khach.errors import ConfigError

SUPPRESSIBLE = ("email", "sms", "zalo", "phone", "push", "ads", "all")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCHEMA = pa.schema([("channel", pa.string()), ("identifier_hash", pa.string())])


def read_suppressions(path: Path | None, country: str) -> pa.Table:
    """Arrow table channel, identifier_hash (SHA-256 of the normal form); no path: no rows.

    Raises ConfigError with file and line of an entry that is nothing.
    """
    rows = _rows(path, country) if path is not None else []
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(2)]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _rows(path: Path, country: str) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        if set(reader.fieldnames or ()) != {"channel", "identifier"}:
            raise ConfigError(
                "the suppression list must have the columns channel and identifier",
                file=path,
                line=1,
                fix=header_remedy(reader.fieldnames or (), ("channel", "identifier")),
            )
        return sorted({_suppression(path, reader.line_num, row, country) for row in reader})


def _suppression(path: Path, line: int, row: dict[str, str], country: str) -> tuple[str, str]:
    channel, raw = (row["channel"] or "").strip(), (row["identifier"] or "").strip()
    if channel not in SUPPRESSIBLE:
        raise ConfigError(
            "unknown channel in the suppression list",
            file=path, line=line, key="channel", fix=f"one of {', '.join(SUPPRESSIBLE)}",
        )  # fmt: skip
    if _SHA256.fullmatch(raw.lower()):
        return channel, raw.lower()
    value = parse_email(raw) if "@" in raw else parse_phone(raw, country)
    if value is None:
        raise ConfigError(
            "an entry of the suppression list is neither an e-mail address, a phone number nor "
            "a SHA-256",
            file=path, line=line, key="identifier",
        )  # fmt: skip
    return channel, hashlib.sha256(value.encode()).hexdigest()
