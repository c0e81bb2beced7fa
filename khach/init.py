"""`khach init`: a commented configuration to start from."""

import shutil
from pathlib import Path

from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError

TEMPLATES = Path(__file__).parent / "templates"


def template_names() -> list[str]:
    """The templates that come with this release."""
    return sorted(path.name for path in TEMPLATES.iterdir() if path.is_dir())


def template_lines() -> dict[str, str]:
    """Each template with what it is: the first line of its settings.yml."""
    return {
        name: (TEMPLATES / name / "settings.yml").read_text(encoding="utf-8").splitlines()[0][2:]
        for name in template_names()
    }


def is_initialised(env: Environment) -> bool:
    """Whether a configuration stands in `$KHACH_CONFIG` already."""
    return (env.config / "settings.yml").exists() or (env.config / "sources.yml").exists()


def initialise(env: Environment, template: str, *, force: bool = False) -> list[Path]:
    """Copy a template into `$KHACH_CONFIG`; the files written, settings.yml last.

    Where it has audiences, their JSON schema for editors is made beside them.

    Raises ConfigError for an unknown template, or when a configuration exists and not `force`.
    With `force` only files that the template has are overwritten; the rest is left alone.
    """
    folder = TEMPLATES / template
    if not folder.is_dir():
        raise ConfigError(
            f"there is no template {template!r}", fix=suggest(template, template_names())
        )
    if is_initialised(env) and not force:
        raise ConfigError(
            "a configuration exists already; nothing was written",
            file=env.config,
            fix="edit it, set KHACH_CONFIG to another folder, or add --force to overwrite it",
        )
    # settings.yml marks a whole configuration: it comes last, so that a killed init starts over.
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: (path.name == "settings.yml", path.name == "sources.yml", str(path)),
    )
    written = []
    if (folder / "audiences").is_dir():
        from activation.audience_schema import write_schema

        env.config.mkdir(parents=True, exist_ok=True)
        written.append(write_schema(env))
    for path in files:
        target = env.config / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        written.append(target)
    return written
