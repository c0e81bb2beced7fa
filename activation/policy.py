"""policy.yml: what holds for every audience, whatever its own file says."""

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from khach.config_files import parse, read_yaml
from khach.contacts import parse_email, parse_phone
from khach.environment import Environment
from khach.errors import ConfigError
from khach.settings import Section, load_settings

SUPPRESSIBLE = ("email", "sms", "zalo", "push", "ads", "all")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCHEMA = pa.schema([("channel", pa.string()), ("identifier_hash", pa.string())])


class PolicyFile(Section):
    """The keys of policy.yml."""

    suppression_list: str | None = None
    seeds: list[Any] = Field(default_factory=list)


@dataclass(frozen=True)
class Policy:
    """The policy in force. `suppressions`: Arrow table channel, identifier_hash (SHA-256)."""

    minimum_age: int
    suppressions: pa.Table


def load_policy(env: Environment) -> Policy:
    """Read policy.yml and the suppression list it names; the minimum age is in settings.yml.

    Raises ConfigError with file, line and key; an absent or unreadable suppression list is an
    error, never an empty list.
    """
    settings = load_settings(env)
    file = read_yaml(env.config / "policy.yml")
    policy = parse(file, PolicyFile)
    if policy.seeds:
        raise file.error(
            "seeds are not built yet: later release", ("seeds",), fix="write `seeds: []`"
        )
    rows: list[tuple[str, str]] = []
    if policy.suppression_list:
        path = env.config / policy.suppression_list
        if not path.is_file():
            raise file.error(
                f"the suppression list {policy.suppression_list} does not exist",
                ("suppression_list",),
                fix="put the file beside policy.yml, or write null",
            )
        rows = _read_suppressions(path, settings.default_country)
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(2)]
    return Policy(settings.minimum_age, pa.Table.from_arrays(columns, schema=_SCHEMA))


def _read_suppressions(path: Path, country: str) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        if set(reader.fieldnames or ()) != {"channel", "identifier"}:
            raise ConfigError(
                "the suppression list must have the columns channel and identifier",
                file=path,
                line=1,
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
