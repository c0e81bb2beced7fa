"""What people write back to a Twilio number: the texts that came in, as the entity `messages`.

| endpoint | table | read again |
|---|---|---|
| `/2010-04-01/Accounts/{AccountSid}/Messages.json`, `To` our number | messages | what came since |

The filter counts days, so reads overlap. Texts that went out are not read: ours are in the state of
activation. Answers to our texts, withdrawals among them, are told apart by the models
(`int_message_replies`). Settings: `url`, `account`, `token`, `number` (NAMES of variables).
"""

from __future__ import annotations

import json
import os
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from ingestion.checked import CheckedItem
from ingestion.entities import entity_table
from ingestion.parquet import duckdb_session
from ingestion.reading import Reading
from ingestion.replay_rows import through_shapes
from ingestion.rest import Api, require_https
from ingestion.shapes import Shape
from ingestion.spec import (
    EnvironmentName,
    Extract,
    FetchContext,
    SourceSpec,
    TableSpec,
    secret,
)
from ingestion.vendor_contract import VendorConfig
from khach.clock import now
from khach.errors import KhachError

if TYPE_CHECKING:
    from khach.environment import Environment

PRODUCTION = "https://api.twilio.com"
PER_PAGE = 1000  # the API's maximum
BEGINNING = "2000-01-01"
# A day, as the vendor's own libraries write it: the hours do not count.
_DAY = "{:.10}T00:00:00Z"

_MESSAGES = entity_table("messages")
TABLES = {"messages": TableSpec("messages", {**_MESSAGES.columns, "_extra": "j"})}
# RFC 2822, always in UTC: "Wed, 19 Jun 2019 22:04:00 +0000".
_MOMENT = "coalesce(item.date_sent, item.date_created)"
_WORDS = {
    "message_id": "item.sid",
    "phone": 'item."from"',
    "channel": "'sms'",
    "direction": "'inbound'",
    "body": "item.body",
    "sent_at": f"coalesce(cast(try_strptime({_MOMENT}, '%a, %d %b %Y %H:%M:%S +0000') as varchar), "
    f"{_MOMENT})",
    "_is_kept": "'true'",
    "_is_deleted": "'false'",
}
_UNTOLD = dict.fromkeys(
    (name for name in TABLES["messages"].columns if name not in ("_extra", "_file", "_row")),
    "cast(null as varchar)",
)
SHAPES = {
    "messages": Shape(
        "messages",
        dict.fromkeys(("sid", "from", "body", "date_sent", "date_created"), "VARCHAR"),
        _UNTOLD | _WORDS,
    )
}


class TwilioConfig(VendorConfig):
    """A Twilio number in sources.yml."""

    kind: Literal["twilio"]
    url: EnvironmentName = "TWILIO_API_URL"
    """The variable that holds the address of the API."""
    account: EnvironmentName = "TWILIO_ACCOUNT_SID"
    """The variable that holds the account's SID."""
    token: EnvironmentName = "TWILIO_AUTH_TOKEN"  # noqa: S105 - the variable's name
    """The variable that holds the account's token."""
    number: EnvironmentName = "TWILIO_NUMBER"
    """The variable that holds our number, whose incoming texts are read."""


def tables(_config: TwilioConfig) -> list[TableSpec]:
    """The one raw table."""
    return list(TABLES.values())


def fetch(context: FetchContext) -> Extract | None:
    """What came in since the last committed load; None when nothing did."""
    config: TwilioConfig = context.config
    api, path = _connect(context.env, config)
    started = now(context.env).astimezone(UTC).replace(tzinfo=None)
    with duckdb_session(context.staging) as connection:
        reading = Reading(context, connection, TABLES, SHAPES)
        if reading.days:
            first, after = (_DAY.format(str(moment)) for moment in reading.days)
            bounds = {"DateSent>": first, "DateSent<": after}
        else:
            since = reading.cursor("messages").get("since", BEGINNING)
            bounds = {"DateSent>": _DAY.format(since)}
        reader = reading.reader("messages")
        number = secret(config.number, source=config.name)
        request: dict[str, Any] = {"To": number, "PageSize": PER_PAGE, **bounds}
        page, following = 0, path
        while following:
            body = api.send("GET", path, params=request).body
            page += 1
            reader.add(f"Messages.json?since={bounds['DateSent>']}&page={page}", body)
            # The next address has all that was asked for in it.
            following = reader.top_level_text(body, "next_page_uri")
            asked, request = request, dict(parse_qsl(urlsplit(following).query))
            if request == asked:
                raise KhachError(f"source {config.name}: Messages.json repeats its page")
        file = reader.close()
        cursor = reading.mark("messages", file, "sent_at", started)
        if reading.days or cursor != reading.cursor("messages"):
            reading.keep(reader, file, cursor)
        return reading.extract()


def check(env: Environment, config: TwilioConfig) -> list[CheckedItem]:
    """That the token opens the account."""
    api, path = _connect(env, config)
    number = secret(config.number, source=config.name)
    answer = json.loads(api.get(path, {"To": number, "PageSize": 1}))
    found = "texts came in" if answer.get("messages") else "no text yet"
    return [CheckedItem(config.name, "messages", found)]


def _connect(env: Environment, config: TwilioConfig) -> tuple[Api, str]:
    """The account's API, whose address is known in prod, and the path of its messages."""
    account = secret(config.account, source=config.name)
    url = os.environ.get(config.url)
    if not url:
        url = PRODUCTION if env.name == "prod" else secret(config.url, source=config.name)
    require_https(url, config.url, source=config.name)
    token = secret(config.token, source=config.name)
    api = Api(config.name, url, config.token, token, user=account)
    return api, f"2010-04-01/Accounts/{account}/Messages.json"


SPEC = SourceSpec(
    "twilio",
    TwilioConfig,
    tables,
    fetch,
    check,
    through_shapes(TABLES, SHAPES),
    can_backfill=True,
)
