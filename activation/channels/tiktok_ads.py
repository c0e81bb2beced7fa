"""TikTok customer-file audience (API for Business v1.3): the whole list as one file of hashes.

Needs TIKTOK_ACCESS_TOKEN; TIKTOK_API_URL outside production. `remote.audience` names a variable
that holds the audience's id, or a name by which it is found and, the first time, created.
Pages: https://business-api.tiktok.com/portal/docs?id=1739940567842818 (upload),
?id=1739940570793985 (create), ?id=1739940572667906 (update), ?id=1739940507792385 (get);
https://ads.tiktok.com/help/article/how-to-create-a-custom-audience-with-a-customer-file (the file).

An operation fails when the audience has fewer than 1,000 entries after it, and so does a smaller
file: what came and went since yesterday is rarely a file. So every delivery is the whole list with
action REPLACE, which also takes out whoever must leave; sent again it changes nothing. TikTok works
on it for 24 to 48 hours; the handle is the audience's id.
"""

import hashlib
import json
import random
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from activation.channels.base import Channel, Match, Outcome
from activation.channels.capabilities import Capabilities
from activation.channels.formats import key_parts, tiktok
from activation.channels.http import JsonClient, UncertainError
from activation.channels.pace import Pace
from activation.channels.variables import platform_address, require_variable
from activation.consent import PermittedRow
from khach.environment import Environment
from khach.errors import BusyError, ConfigError, KhachError
from khach.redact import redact

_API = "https://business-api.tiktok.com/open_api/v1.3"
_DMP = "/dmp/custom_audience"
_LEAST = 1_000
_TYPE = "MULTIPLE_TYPES"
_HEADER = "Email_SHA256,Phone_SHA256"
_PAGE = 100
# "Appendix - Return Codes": https://business-api.tiktok.com/portal/docs?id=1737172488964097
_OK = 0
_FIX = "put the audience's id into the variable that `remote.audience` names"
_TOKEN = frozenset({40001, 40101, 40102, 40104, 40105})
_TOO_MANY = frozenset({40016, 40100})
_SYSTEM = range(50000, 60000)
# Ten requests a second are an app's by default (the portal's "Rate limits"), whatever number
# of syncs; fewer here, since requests bunch on their way. Who is told so asks again after a while.
_PACE = Pace(8, 1.0)
_PAUSES = (1.0, 2.0, 4.0, 8.0)


class TiktokAds(Channel):
    """One customer-file audience of one advertiser."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel="ads",
        tells_matches=True,
        modes=frozenset({"mirror"}),
        remote={"advertiser": "variable", "audience": "variable"},
        field_name=re.compile("|".join(tiktok.FIELDS)),
        remote_id_sql=tiktok.KEY,
        field_sql=tiktok.FIELDS,
        batch_size=1_000_000,
        is_whole_file=True,
        least_rows=_LEAST,
        is_polled=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        token = require_variable("TIKTOK_ACCESS_TOKEN", "channel tiktok_ads")
        url = platform_address(env, "TIKTOK_API_URL", _API)
        self._client = JsonClient(url, headers={"Access-Token": token})
        self._advertiser = remote["advertiser"]
        self._audience = remote["audience"]

    def replace(
        self, rows: Sequence[PermittedRow], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> Outcome:
        """Upload the list and have it take the old one's place, or make the audience of it.

        Raises BusyError when TikTok gives no answer, KhachError with its words when it refuses.
        """
        del fields
        if not all(isinstance(row, PermittedRow) for row in rows):
            raise TypeError("only a PermittedRow may be delivered")
        audience = self._find()
        path = self._upload(_file(rows), f"{sync_id}-{plan_id}.csv")
        if audience is None:
            return Outcome("submitted", handle=self._create(path))
        body = {"custom_audience_id": audience, "action": "REPLACE", "file_paths": [path]}
        self._call("POST", "update", {"advertiser_id": self._advertiser, **body})
        return Outcome("submitted", handle=audience)

    def holds(self, sync_id: str, plan_id: str) -> bool:
        """Never certain: TikTok does not show whose file an audience is made of; it goes again."""
        del sync_id, plan_id
        return False

    def poll(self, handles: Sequence[str]) -> list[Outcome]:
        """Whether the audiences are built; until then submitted."""
        return [self._ask(handle) for handle in handles]

    def matched(self) -> Match | None:
        """`cover_num` of the audience, once it is built."""
        found = self._find()
        details = self._details(found) if found else None
        if not details or not details.get("is_valid") or details.get("cover_num") is None:
            return None
        return Match(int(details["cover_num"]), int(details["cover_num"]))

    def _ask(self, audience: str) -> Outcome:
        try:
            details = self._details(audience)
        except BusyError as problem:
            return Outcome("submitted", "no_answer", problem.message, audience)
        if details is None:
            return Outcome("rejected", "not_found", "the audience is gone")
        if words := details.get("error_msg"):
            return Outcome("rejected", "error_msg", redact(str(words))[:500])
        # "Audiences that are being calculated are not valid."
        return Outcome("acknowledged" if details.get("is_valid") else "submitted", handle=audience)

    def _find(self) -> str | None:
        """The audience's id; None when there is none of that name yet."""
        if self._audience.isdigit():
            audience = self._details(self._audience)
            if audience is None:
                raise ConfigError("TikTok does not know the audience of this sync", fix=_FIX)
        else:
            found = [one for one in self._audiences() if one.get("name") == self._audience]
            if len(found) > 1:
                raise ConfigError("TikTok has several audiences of that name", fix=_FIX)
            if not found:
                return None
            audience = found[0]
        if audience.get("calculate_type") != _TYPE:
            raise ConfigError(
                f"the audience was made of a file of {audience.get('calculate_type')}, ours is "
                f"{_TYPE}",
                fix="put a new name into the variable that `remote.audience` names",
            )
        return str(audience["audience_id"])

    def _audiences(self) -> Iterator[dict[str, Any]]:
        page = pages = 1
        while page <= pages:
            data = self._get("list", {"page": page, "page_size": _PAGE})
            yield from data.get("list") or []
            pages = int((data.get("page_info") or {}).get("total_page") or 1)
            page += 1

    def _details(self, audience: str) -> dict[str, Any] | None:
        found = self._get("get", {"custom_audience_ids": json.dumps([audience])}).get("list")
        return found[0]["audience_details"] if found else None

    def _upload(self, content: bytes, name: str) -> str:
        form = {
            "advertiser_id": self._advertiser,
            "file_signature": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            "calculate_type": _TYPE,
        }
        files = {"file": (name, content, "text/csv")}
        return str(self._call("POST", "file/upload", data=form, files=files)["file_path"])

    def _create(self, path: str) -> str:
        body = {
            "advertiser_id": self._advertiser,
            "custom_audience_name": self._audience,
            "calculate_type": _TYPE,
            "file_paths": [path],
        }
        try:
            # Not repeatable: a second one would be another audience of the same name.
            made = self._call("POST", "create", body, is_repeatable=False)
        except UncertainError:
            raise BusyError(
                "TikTok gave no answer to a new audience", fix="the next run looks for it by name"
            ) from None
        return str(made["custom_audience_id"])

    def _get(self, verb: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("GET", verb, params={"advertiser_id": self._advertiser, **params})

    def _call(self, method: str, verb: str, body: Any = None, **request: Any) -> dict[str, Any]:
        for pause in _PAUSES:
            _PACE.wait()
            status, answer = self._client.call(method, f"{_DMP}/{verb}/", body, **request)
            if answer.get("code") not in _TOO_MANY:
                break
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        return _data(status, answer)


def _file(rows: Sequence[PermittedRow]) -> bytes:
    """CSV, a person a line, in an order of its own, so that the same list is the same file."""
    lines = set()
    for row in rows:
        email, phone = key_parts(row.remote_id)
        email, phone = email or row.fields.get("email", ""), phone or row.fields.get("phone", "")
        lines.add(f"{email},{phone}")
    return ("\n".join([_HEADER, *sorted(lines)]) + "\n").encode()


def _data(status: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The data of an answer; failure hides in the `code` of a 200."""
    code = int(answer.get("code", -1))
    if status == 200 and code == _OK:
        return answer.get("data") or {}
    words = redact(str(answer.get("message") or ""))[:500]
    if code in _TOKEN or status in (401, 403):
        raise ConfigError(
            f"TikTok refuses the access token: {words}",
            key="TIKTOK_ACCESS_TOKEN",
            fix="a token of an app with Audience Management, granted by the advertiser",
        )
    if code in _TOO_MANY or code in _SYSTEM:
        raise BusyError(f"TikTok is busy ({code}: {words})", fix="try again later")
    raise KhachError(f"TikTok refuses ({status}, code {code}): {words}")
