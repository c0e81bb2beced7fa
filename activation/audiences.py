"""The audience files: `config/audiences/*.yml`, one audience each; the contract is docs/sync.md."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from activation.audience_file import Audience, Sync
from activation.contract import mart_columns
from activation.policy import load_policy
from activation.rules import NOT_COLUMNS, Rule, RuleError, compile_rule, evaluate_example
from activation.segments import unknown_segment
from activation.sync_checks import check_sync
from khach.config_files import ConfigFile, parse, read_yaml
from khach.config_mistakes import suggest
from khach.environment import Environment
from khach.errors import ConfigError, told_together


@dataclass(frozen=True)
class AudienceCheck:
    """What `khach audiences check` found for one file."""

    audience: str
    syncs: tuple[str, ...]
    example_count: int

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)

    def text(self) -> str:
        """One line for people."""
        return f"{self.audience}: {self.example_count} examples hold; syncs {', '.join(self.syncs)}"


class Book(Mapping[str, Audience]):
    """All audiences by name, checked as a whole, with their compiled rules."""

    def __init__(self, audiences: dict[str, Audience], rules: dict[str, Rule]) -> None:
        self._audiences = audiences
        self.rules = rules

    def __getitem__(self, name: str) -> Audience:
        """The audience of that name."""
        return self._audiences[name]

    def __iter__(self) -> Iterator[str]:
        """Names, in order."""
        return iter(self._audiences)

    def __len__(self) -> int:
        """How many audiences there are."""
        return len(self._audiences)

    def find(self, name: str) -> Audience:
        """An audience by name; ConfigError with suggestions."""
        if name in self:
            return self[name]
        raise ConfigError(f"there is no audience {name!r}", fix=suggest(name, list(self)))

    def find_sync(self, sync_id: str) -> tuple[Audience, Sync]:
        """A sync by id with its audience; ConfigError with suggestions."""
        syncs = {s.id: (a, s) for a in self.values() for s in a.syncs}
        if sync_id in syncs:
            return syncs[sync_id]
        raise ConfigError(f"there is no sync {sync_id!r}", fix=suggest(sync_id, list(syncs)))


def load_audiences(env: Environment) -> Book:
    """Read and check every audience file; without a folder there are none.

    Raises ConfigError: the mistakes of every file with line, key and what would be right.
    """
    if not (env.config / "audiences").is_dir():
        return Book({}, {})
    columns, policy = mart_columns(env, "customers"), load_policy(env).rules
    files: dict[str, ConfigFile] = {}
    book = Book({}, {})
    with told_together() as each:
        for path in sorted((env.config / "audiences").glob("*.yml")):
            with each():
                file = read_yaml(path)
                audience = parse(file, Audience)
                if audience.name in files:
                    raise file.error(f"audience {audience.name!r} stands in two files", ("name",))
                files[audience.name] = file
                book._audiences[audience.name] = audience
                for number in range(len(audience.syncs)):
                    with each():
                        check_sync(file, audience, number, columns, policy)
                if audience.where is not None:
                    book.rules[audience.name] = _compile(env, file, audience.where, columns)
                else:
                    _check_model(env, file, str(audience.model))
    _check_together(book, files)
    _check_lists(book, files)
    return book


def check_audiences(env: Environment) -> list[AudienceCheck]:
    """Everything `load_audiences` checks, and every example executed in memory.

    Raises ConfigError: every example that does not hold, with its line.
    """
    columns = mart_columns(env, "customers") if (env.config / "audiences").is_dir() else {}
    book = load_audiences(env)
    with told_together() as each:
        for path in sorted((env.config / "audiences").glob("*.yml")):
            file = read_yaml(path)
            audience = book[file.data["name"]]
            for number, example in enumerate(audience.examples):
                with each():
                    _check_example(file, book.rules.get(audience.name), columns, number, example)
    return [
        AudienceCheck(a.name, tuple(s.id for s in a.syncs), len(a.examples)) for a in book.values()
    ]


def _compile(env: Environment, file: ConfigFile, where: str, columns: Mapping[str, str]) -> Rule:
    try:
        rule = compile_rule(where, columns)
    except RuleError as problem:
        raise file.error(str(problem), ("where",), fix=problem.fix) from None
    for segment in rule.segments:
        if fix := unknown_segment(env, segment):
            raise file.error(f"there is no segment {segment!r}", ("where",), fix=fix)
    return rule


def _check_model(env: Environment, file: ConfigFile, model: str) -> None:
    try:
        columns = mart_columns(env, model)
    except ConfigError as problem:
        raise file.error(problem.message, ("model",), fix=problem.fix) from None
    if "customer_id" not in columns:
        raise file.error(f"{model} has no column customer_id", ("model",))


def _check_together(book: Book, files: dict[str, ConfigFile]) -> None:
    seen: set[str] = set()
    for audience in book.values():
        file = files[audience.name]
        for number, other in enumerate(audience.exclude):
            if other not in book or other == audience.name:
                fix = suggest(other, [name for name in book if name != audience.name])
                raise file.error(f"there is no audience {other!r}", ("exclude", number), fix=fix)
        for number, sync in enumerate(audience.syncs):
            if sync.id in seen:
                raise file.error(f"sync id {sync.id!r} stands twice", ("syncs", number, "id"))
            seen.add(sync.id)


def _check_lists(book: Book, files: dict[str, ConfigFile]) -> None:
    lists: dict[tuple[str, str], str] = {}
    for audience in book.values():
        for number, sync in enumerate(audience.syncs):
            if (place := _list_of(sync)) is None:
                continue
            if place in lists:
                raise files[audience.name].error(
                    f"sync {sync.id!r} goes to the list of sync {lists[place]!r}: one would remove "
                    "whom the other put there",
                    ("syncs", number, "remote"),
                    fix="a list or tag of its own; or one audience for both",
                )
            lists[place] = sync.id


def _list_of(sync: Sync) -> tuple[str, str] | None:
    """Channel and place, by the names of variables; None where syncs do not get in each other's
    way.
    """
    able = sync.capabilities
    place = able.place(sync.remote)
    if sync.is_message or able.is_whole_file or able.is_told_sync or not place:
        return None
    return sync.channel, str(sorted(place.items()))


def _all_in(value: Any, known: tuple[str, ...]) -> bool:
    return isinstance(value, list) and all(one in known for one in value)


def _check_example(
    file: ConfigFile,
    rule: Rule | None,
    columns: Mapping[str, str],
    number: int,
    example: Mapping[str, Any],
) -> None:
    place = ("examples", number)
    if rule is None:
        raise file.error("an audience with `model` has its examples in dbt unit tests", place)
    if not isinstance(example.get("in"), bool):
        raise file.error("an example says `in: true` or `in: false`", place)
    for key, value in example.items():
        if key not in columns and key not in NOT_COLUMNS:
            raise file.error(
                f"unknown column {key!r}", (*place, key), fix=suggest(key, list(columns))
            )
        if key == "as_of" and not isinstance(value, date | datetime):
            raise file.error("as_of is a date", (*place, key))
        if key == "segments" and not _all_in(value, rule.segments):
            raise file.error(
                "segments is a list of segments that the rule asks for", (*place, key),
                fix=f"[{', '.join(rule.segments)}]",
            )  # fmt: skip
    try:
        is_in = evaluate_example(rule, columns, example)
    except RuleError as problem:
        raise file.error(str(problem), place, fix=problem.fix) from None
    if is_in != example["in"]:
        stands = "in" if is_in else "out"
        raise file.error(
            f"example {number + 1} does not hold: the rule says {stands}", place,
            fix="correct the rule or the example",
        )  # fmt: skip
