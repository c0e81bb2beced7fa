"""What a channel declares it can do; everything that plans, checks and sends asks this alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

VARIABLE = re.compile(r"[A-Z][A-Z0-9_]+")


@dataclass(frozen=True)
class Capabilities:
    """What a channel can do, declared so that a wrong sync is refused before anything runs.

    `remote` maps each key of a sync's `remote` to what it must be: `variable` (the name of an
    environment variable) or the allowed texts (empty: any text). `field_name` matches the names
    allowed in `fields`; `required_fields` must be among them.

    `no_place` are keys of `remote` that are not part of where the list is: a secret.

    `remote_id_sql` derives the channel's own key of a member from the columns `identifier` (e-mail
    lower-cased, phone in E.164), `identifier_hash` and `customer_id`; `field_sql` turns a field's
    text `{value}` (never empty) into the channel's own form, hashes included. Both are SQL, so
    that a million rows are formatted at once; what they give is exactly what is sent.
    """

    consent_channel: str | None
    remote: Mapping[str, Literal["variable"] | tuple[str, ...]]
    field_name: re.Pattern[str]
    remote_id_sql: str
    batch_size: int
    kinds: frozenset[Literal["membership", "message"]] = frozenset({"membership"})
    no_place: frozenset[str] = frozenset()
    modes: frozenset[str] = frozenset({"mirror", "add_only"})
    field_sql: Mapping[str, str] | None = None
    required_fields: frozenset[str] = frozenset()
    # Every delivery is the whole list (`replace`, `holds`); no list may be shorter than this.
    is_whole_file: bool = False
    least_rows: int = 0
    # Members are kept apart by sync there, so that several may go to one place. A whole file is.
    is_told_sync: bool = False
    # `suppress` stops all contact, also of people we did not add.
    can_suppress: bool = False
    # `read_back` and `members` show what the channel holds now.
    can_read_back: bool = False
    can_list: bool = False
    # A batch repeated under its own batch id (or row ids) takes effect once.
    is_idempotent: bool = False
    # How long the platform knows a repeat for one, by its pages; None: for good. Later than this an
    # interrupted message is not repeated.
    remembers_for: timedelta | None = None
    # `submitted` answers carry a handle that `poll` asks for.
    is_polled: bool = False
    # `matched` tells how many people the platform found.
    tells_matches: bool = False

    def place(self, remote: Mapping[str, str]) -> dict[str, str]:
        """The part of a remote that says where: neither a secret nor a choice such as a format."""
        choices = {key for key, kind in self.remote.items() if kind not in ("variable", ())}
        return {key: remote[key] for key in sorted(remote) if key not in choices | self.no_place}
