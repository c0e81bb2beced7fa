"""What can be wrong in a sync, found before anything runs: channel, remote, fields, texts."""

from collections.abc import Mapping

from activation.audience_file import Audience, Sync
from activation.channels import CHANNELS
from activation.channels.capabilities import VARIABLE
from activation.fields import is_column
from activation.identifiers import IDENTIFIERS
from activation.policy import ADVERTISING_PURPOSES, PolicyFile
from activation.templates import TemplateError, check_template
from khach.config_files import ConfigFile
from khach.config_mistakes import suggest

Place = tuple[str | int, ...]


def check_sync(
    file: ConfigFile,
    audience: Audience,
    number: int,
    columns: Mapping[str, str],
    policy: PolicyFile,
) -> None:
    """ConfigError naming file, line and key of the first mistake, and what would be right."""
    sync, place = audience.syncs[number], ("syncs", number)
    if sync.channel not in CHANNELS:
        fix = suggest(sync.channel, sorted(CHANNELS))
        raise file.error(f"unknown channel {sync.channel!r}", (*place, "channel"), fix=fix)
    _check_kind(file, place, sync)
    _check_consent(file, place, sync)
    _check_remote(file, place, sync)
    for name in sync.fields:
        _check_field(
            file, (*place, "fields", name), sync, columns, policy.fallbacks,
            has_offer=audience.offer is not None,
        )  # fmt: skip
    _check_label(file, (*place, "fields", "body"), audience, sync, policy)
    missing = sorted(sync.capabilities.required_fields - set(sync.fields))
    if missing:
        raise file.error(
            f"{sync.channel} needs the field {missing[0]}", (*place, "fields"),
            fix=f"fields: {{{missing[0]}: ...}}",
        )  # fmt: skip
    kind = CHANNELS[sync.channel]
    if mistake := kind.mistake(sync.remote, sync.fields, audience.purpose, policy):
        raise file.error(mistake.message, (*place, *mistake.place), fix=mistake.fix)


def _check_kind(file: ConfigFile, place: Place, sync: Sync) -> None:
    able = sync.capabilities
    if sync.kind not in able.kinds:
        message = f"channel {sync.channel} cannot do kind {sync.kind}"
        raise file.error(message, (*place, "kind"), fix=" or ".join(sorted(able.kinds)))
    mode = sync.mode or "mirror"
    if not sync.is_message and mode not in able.modes:
        message = f"channel {sync.channel} cannot do mode {mode}"
        raise file.error(message, (*place, "mode"), fix=" or ".join(sorted(able.modes)))


def _check_consent(file: ConfigFile, place: Place, sync: Sync) -> None:
    needed = sync.capabilities.consent_channel
    if needed is None and sync.consent_channel is None:
        raise file.error(
            f"channel {sync.channel} has no consent channel of its own: say consent_channel",
            place,
            fix=f"consent_channel: {' or '.join(sorted(IDENTIFIERS))}",
        )
    if needed and sync.consent_channel not in (None, needed):
        message = f"channel {sync.channel} needs the consent {needed}"
        raise file.error(message, (*place, "consent_channel"), fix=f"consent_channel: {needed}")


def _check_remote(file: ConfigFile, place: Place, sync: Sync) -> None:
    wanted = sync.capabilities.remote
    for key in sync.remote:
        if key not in wanted:
            fix = suggest(key, sorted(wanted))
            raise file.error(f"unknown key {key!r}", (*place, "remote", key), fix=fix)
    for key, kind in wanted.items():
        if key not in sync.remote:
            raise file.error(f"missing key {key!r}", (*place, "remote"))
        value = sync.remote[key]
        if kind == "variable" and not VARIABLE.fullmatch(value):
            raise file.error(
                f"{key} must be the NAME of an environment variable, in capitals",
                (*place, "remote", key),
                fix=f"{key}: {sync.channel.upper()}_{key.upper()}, for example",
            )
        if isinstance(kind, tuple) and kind and value not in kind:
            raise file.error(
                f"{key} must be {' or '.join(kind)}", (*place, "remote", key), fix=kind[0]
            )


def _check_field(
    file: ConfigFile,
    place: Place,
    sync: Sync,
    columns: Mapping[str, str],
    fallbacks: Mapping[str, str],
    *,
    has_offer: bool,
) -> None:
    name = str(place[-1])
    text, pattern = sync.fields[name], sync.capabilities.field_name
    if not pattern.fullmatch(name):
        message = f"{name!r} is no field name of {sync.channel}"
        raise file.error(message, place, fix=f"it must match {pattern.pattern}")
    if is_column(sync, text):
        if text not in columns:
            fix = suggest(text, list(columns))
            raise file.error(f"unknown column {text!r}", place, fix=fix)
        return
    try:
        check_template(text, columns, fallbacks, has_offer=has_offer)
    except TemplateError as problem:
        raise file.error(str(problem), place, fix=problem.fix) from None


def _check_label(
    file: ConfigFile, place: Place, audience: Audience, sync: Sync, policy: PolicyFile
) -> None:
    """An advertising text has its label and its way out, where policy.yml refuses to add them."""
    rule = policy.advertising.get(sync.consent)  # type: ignore[call-overload]
    text = sync.fields.get("body")
    if rule is None or text is None or audience.purpose not in ADVERTISING_PURPOSES:
        return
    if not sync.is_message or rule.when_missing == "add":
        return
    if not text.startswith(rule.label.strip()):
        raise file.error("an advertising text begins with its label", place, fix=rule.label)
    if rule.opt_out.strip() not in text:
        raise file.error("an advertising text says how to refuse", place, fix=rule.opt_out)
