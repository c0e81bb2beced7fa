"""The versions of each configuration file that runs met, with what became of its keys."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from khach.configuration_changes import summary
from khach.environment import Environment
from khach.runs import utc_now
from khach.state import open_state


def record_versions(env: Environment, as_of: datetime) -> Mapping[str, str]:
    """Remember the content of each configuration file once per change; name to version.

    `as_of` (aware) is the present of the run that meets them, beside the time on the wall, by
    which a replay knows what was known.
    """
    found = {_name(env, path): path.read_text(encoding="utf-8") for path in _files(env)}
    versions = {name: _version(content) for name, content in found.items()}
    present = as_of.astimezone(UTC).replace(tzinfo=None)
    with open_state(env) as state:
        last = {
            row[0]: row[1:]
            for row in state.execute(
                "select name, max_by(version, first_seen_at), max_by(content, first_seen_at) "
                "from configuration_versions group by name"
            ).fetchall()
        }
        for name, content in found.items():
            kind = "audience" if name.startswith("audiences/") else Path(name).stem
            version, before = last.get(name, (None, None))
            if version != versions[name]:
                what = None if before is None else summary(name, before, content)
                state.execute(
                    "insert into configuration_versions values (?, ?, ?, ?, ?, ?, ?)",
                    [versions[name], kind, name, utc_now(), content, present, what],
                )
    return versions


def _files(env: Environment) -> list[Path]:
    if not env.config.is_dir():
        return []
    patterns = ("*.yml", "*.csv", "audiences/*.yml")
    return sorted(path for pattern in patterns for path in env.config.glob(pattern))


def _name(env: Environment, path: Path) -> str:
    return path.relative_to(env.config).as_posix()


def _version(content: str) -> str:
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:12]
