"""docs/configuration.md: every key of the configuration, as the models that check it tell them.

`python -m khach.config_reference` writes the page again; a test keeps it in step. A key's sentence
is the text below it in its model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from khach.config_keys import Key, keys
from khach.environment import PROJECT
from khach.json_schema import json_schema
from khach.settings import Section, Settings

PAGE = PROJECT / "docs" / "configuration.md"


def file_keys() -> dict[str, list[Key]]:
    """settings, identity, policy and audience to their keys (sources: `source_keys`)."""
    from activation.audience_file import Audience
    from activation.policy import PolicyFile
    from khach.identity_settings import IdentitySettings

    models: dict[str, type[Section]]
    models = {"settings": Settings, "identity": IdentitySettings, "policy": PolicyFile,
              "audience": Audience}  # fmt: skip
    return {name: list(keys(json_schema(model))) for name, model in models.items()}


def source_keys() -> dict[str, list[Key]]:
    """Kinds of sources (several, by commas, where their keys are the same) to their own keys.

    Names begin below the source's own. What every kind has stands under ''.
    """
    from ingestion.registry import MODULES
    from ingestion.sources_schema import kind_schema

    kinds = {kind: list(keys(kind_schema(kind))) for kind in MODULES}
    first, *others = kinds.values()
    common = [key for key in first if all(key in other for other in others)]
    kind = next(key for key in first if key.name == "kind")
    every = replace(kind, type="one of " + ", ".join(f"`{name}`" for name in kinds))
    found: dict[str, list[Key]] = {"": [every, *common]}
    for name, own in kinds.items():
        rest = [key for key in own if key not in common and key.name != "kind"]
        same = next((names for names, other in found.items() if other == rest), None)
        if same is not None:
            del found[same]
        found[f"{same}, {name}" if same else name] = rest
    return found


def csv_keys() -> dict[str, list[Key]]:
    """Each CSV of the configuration to its columns."""
    from activation.segments import Segment
    from khach.targets import Target
    from khach.vocabularies import FILES

    models: dict[str, type[Section]] = {"segments.csv": Segment, "targets.csv": Target}
    models |= {name: row for name, (row, _) in FILES.items()}
    return {name: list(keys(json_schema(model))) for name, model in models.items()}


def page() -> str:
    """docs/configuration.md."""
    own, sources = file_keys(), source_keys()
    lines = [*_HEAD, "", "## settings.yml", *_tables(own["settings"])]
    lines += ["", "## identity.yml", _IDENTITY, *_tables(own["identity"])]
    lines += ["", "## sources.yml", *_SOURCES, *_table(sources.pop(""))]
    for kinds, rows in sources.items():
        lines += ["", f"### kind {kinds}", *_table(rows)]
    lines += ["", "## policy.yml", _POLICY, *_tables(own["policy"])]
    lines += ["", "## audiences/*.yml", _AUDIENCES, *_tables(own["audience"]), *_channels()]
    lines += ["", "## CSV files", *_CSV]
    for name, rows in csv_keys().items():
        lines += ["", f"### {name}", "", "| column | type | meaning |", "|---|---|---|"]
        lines += [f"| `{key.name}` | {key.type} | {key.sentence} |" for key in rows]
    return "\n".join(lines) + "\n"


def _tables(own: Sequence[Key]) -> Iterator[str]:
    """One table for each section of a file."""
    for section in dict.fromkeys(key.section for key in own):
        yield from ("", f"### `{section}`") if section else ()
        yield from _table([key for key in own if key.section == section])


def _table(rows: Sequence[Key]) -> Iterator[str]:
    yield from ("", "| key | type | default | meaning |", "|---|---|---|---|")
    for key in rows:
        sentence = key.sentence.replace("|", r"\|")
        yield f"| `{key.name}` | {key.type} | {key.default} | {sentence} |"
    told = [f"- {note}" for key in rows for note in key.notes]
    yield from ("", *told) if told else ()


def _channels() -> Iterator[str]:
    from activation.channels import CHANNELS

    yield from ("", "### Channels", "`consent_channel` stands in the file where the channel has no "
                "consent of its own; capitals in `remote` are the name of an environment variable.",
                "", "| channel | kind | remote | consent |", "|---|---|---|---|")  # fmt: skip
    for name, channel in sorted(CHANNELS.items()):
        able = channel.capabilities
        remote = (
            f"`{key}`" + (f" ({', '.join(words)})" if words and words != "variable" else "")
            for key, words in able.remote.items()
        )
        kinds = ", ".join(sorted(able.kinds))
        yield f"| {name} | {kinds} | {', '.join(remote)} | {able.consent_channel or '-'} |"


_HEAD = """\
# Configuration: every key

Made of the models that check the files, by `python -m khach.config_reference`. The files lie in
`config/` (`$KHACH_CONFIG`); `khach init` writes commented ones, `khach config check` names file,
line and key of a mistake. An unknown key is a mistake.

| file | what it says | needed |
|---|---|---|
| [settings.yml](#settingsyml) | what the business is and how it counts | yes |
| [sources.yml](#sourcesyml) | where data comes from | yes |
| [identity.yml](#identityyml) | who is the same person, and whom to believe | no |
| [policy.yml](#policyyml) | what holds for every audience | with audiences |
| [audiences/*.yml](#audiencesyml) | who is reached, and where | no |
| [CSV files](#csv-files) | own segments, targets, rates and words | no |

How to read a name: `a.b` is `b` below `a`; `*` stands for a name of yours, `[]` for an entry of a
list. A default of `-` is none, or nothing. A share is a number, not percent: 45 % is 0.45.

## In an editor
`khach config schema FILE` prints the JSON schema of `settings`, `identity`, `sources`, `policy` or
`audience`. In VS Code, with the extension YAML (Red Hat), it completes keys and marks mistakes:
```
mkdir -p config/.schemas
khach config schema settings > config/.schemas/settings.json
```
and as the first line of `config/settings.yml`:
```yaml
# yaml-language-server: $schema=.schemas/settings.json
```
The audiences of `khach init --sandbox` have theirs. Make the schemas again after an upgrade. An
editor is stricter than `khach config check` in one thing: numbers, `true` and `false` stand without
quotes. It knows less in others: whether a column or a segment exists, say.\
""".splitlines()
_IDENTITY = (
    "Every key may be left out, and so may the file. What the words mean: [identity](identity.md)."
)
_SOURCES = """\
One key, `sources`: a source's name (small letters, digits, `_`) to its settings. The names here
begin below the source's: `tables.*.from` is `sources.<name>.tables.<entity>.from`. Entities and
their columns are in [architecture](architecture.md), examples in the templates of `khach init`.\
""".splitlines()
_POLICY = "What a plan and a send do with it: [what a sync promises](sync.md)."
_AUDIENCES = "One file each. How they work: [what a sync promises](sync.md)."
_CSV = """\
UTF-8, separated by commas, the columns in the first line. All may be left out. Besides them lies
the `suppression_list` of policy.yml, under the name given there: columns `channel` (`email`, `sms`,
`zalo`, `phone`, `push`, `ads`, `all`) and `identifier` (an address, a number, or its SHA-256).
The last four take the place of the tables of their names in `dbt_project/seeds/`, as a whole: begin
with a copy.\
""".splitlines()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
