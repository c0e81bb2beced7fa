"""One request as the platform's operations see it, and the route table's building block."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from starlette.datastructures import QueryParams

from sandbox.mailchimp import store
from sandbox.mailchimp.documents import Collection, select_fields
from sandbox.mailchimp.members import Call
from sandbox.mailchimp.problems import invalid, not_found

# "Default value is 10. Maximum value is 1000" (contract, parameter `count`).
DEFAULT_COUNT, MAXIMUM_COUNT = 10, 1000


@dataclass(frozen=True)
class Exchange:
    """A request under way: its parameters, its body, a connection of its own."""

    root: Path
    connection: Connection
    request_id: str
    path: dict[str, str]
    query: QueryParams
    body: bytes

    @property
    def list_id(self) -> str:
        """The path's list; a ProblemError (404) when the platform has no such list."""
        list_id = self.path["list_id"]
        known = "select 1 from lists where list_id = ?"
        if not self.connection.execute(known, (list_id,)).fetchone():
            raise not_found()
        return list_id

    @property
    def campaign_id(self) -> str:
        """The path's campaign; a ProblemError (404) when there is none."""
        campaign_id = self.path["campaign_id"]
        known = "select 1 from campaigns where campaign_id = ?"
        if not self.connection.execute(known, (campaign_id,)).fetchone():
            raise not_found()
        return campaign_id

    @property
    def member_id(self) -> str:
        """The path's member: a hash ("also accepts a list member's email address", contract)."""
        return normal_member(self.path["subscriber_hash"])

    def call(self) -> Call:
        """What a write needs; read the clock once per request."""
        return Call(self.connection, self.list_id, self.request_id, store.simulated_now(self.root))

    def moment(self, name: str) -> str | None:
        """A time parameter in the stored form, or None; a ProblemError (400) when not ISO 8601."""
        try:
            # An unescaped + in a query string arrives as a blank.
            return store.iso(self.query.get(name, "").replace(" ", "+"))
        except ValueError as error:
            raise invalid(f"{name} is not a date in ISO 8601 format.") from error

    def flag(self, name: str) -> bool:
        """A boolean parameter, false when absent."""
        return self.query.get(name, "").lower() == "true"

    def page(self, collection: Collection, **envelope: str | int) -> str:
        """The page that `count` and `offset` ask for."""
        count, offset = self.window()
        return self.select(collection.page(self.connection, count, offset, **envelope))

    def window(self) -> tuple[int, int]:
        """`count` and `offset`; a ProblemError (400) when they are no page."""
        count, offset = self._integer("count", DEFAULT_COUNT), self._integer("offset", 0)
        if count > MAXIMUM_COUNT:
            raise invalid(f"count must be at most {MAXIMUM_COUNT}.")
        return count, offset

    def select(self, text: str) -> str:
        """The document cut to `fields` and `exclude_fields`."""
        return select_fields(text, self._names("fields"), self._names("exclude_fields"))

    def _names(self, name: str) -> list[str]:
        return [part for part in self.query.get(name, "").split(",") if part]

    def _integer(self, name: str, default: int) -> int:
        text = self.query.get(name, str(default))
        if not text.isdecimal():
            raise invalid(f"{name} must be a whole number.")
        return int(text)


Operation = Callable[[Exchange], str | None]


def normal_member(identifier: str) -> str:
    """The member id behind a path segment, which may be an address."""
    return store.subscriber_hash(identifier) if "@" in identifier else identifier.lower()
