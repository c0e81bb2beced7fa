"""A folder on somebody's SFTP server: the delivery of `file_drop`, over the wire.

List and then manifest go up under a temporary name, are flushed where the server can
(fsync@openssh.com) and renamed over the old ones (posix-rename@openssh.com), so that no reader
finds half a list. The server's key is pinned; no file or agent of the user's is read.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import asyncssh

from activation.channels.base import Channel
from activation.channels.capabilities import Capabilities
from activation.channels.tables import (
    FIELD_NAME,
    FORMATS,
    SUFFIXES,
    Manifest,
    describe,
    write_members,
)
from activation.channels.variables import require_allowed_address, require_variable
from activation.consent import PermittedRow
from khach.environment import Environment
from khach.errors import BusyError, ConfigError, KhachError

_PATIENCE = 30.0
_CHUNK = 4 << 20
_LARGEST_MANIFEST = 1 << 16
Answer = TypeVar("Answer")


class Sftp(Channel):
    """One folder at one server, as the user `SFTP_USER`.

    `SFTP_PASSWORD` or `SFTP_KEY_FILE` proves who we are, `SFTP_HOST_KEY` (a line of
    `ssh-keyscan`, without the name: `ssh-ed25519 AAAA...`) who the server is. `host` is a name or
    address, with `:port` when it is not 22.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        consent_channel=None,
        modes=frozenset({"mirror"}),
        remote={"host": "variable", "folder": "variable", "format": FORMATS},
        field_name=FIELD_NAME,
        remote_id_sql="identifier_hash",
        batch_size=1_000_000,
        is_whole_file=True,
    )

    def __init__(self, env: Environment, remote: Mapping[str, str]) -> None:
        require_allowed_address(env, f"sftp://{remote['host']}", "the SFTP host")
        host, _, port = remote["host"].partition(":")
        if port and not port.isdigit():
            raise ConfigError("the SFTP host is a name, or name:port")
        self._login = {"host": host, "port": int(port or 22)} | _credentials()
        self._folder = remote["folder"].rstrip("/")
        self._format = remote["format"]
        self._outbox = env.home / "outbox"

    def replace(
        self, rows: Sequence[PermittedRow], fields: Sequence[str], sync_id: str, plan_id: str
    ) -> None:
        """Deliver list and manifest.

        Raises BusyError when the server cannot be reached or goes away, ConfigError when it is not
        the pinned one or refuses us, KhachError when it refuses the files.
        """
        with _scratch(self._outbox / sync_id) as scratch:
            data = scratch / f"{sync_id}{SUFFIXES[self._format]}"
            write_members(data, self._format, rows, fields)
            told = describe(data, data.name, self._format, len(rows), plan_id)
            manifest = scratch / f"{sync_id}.manifest.json"
            manifest.write_text(json.dumps(told.as_dict(), indent=2), encoding="utf-8")
            _run(lambda: self._deliver(data, manifest))

    def holds(self, sync_id: str, plan_id: str) -> bool:
        """Whether that plan's manifest stands there, and a list of its length. Raises BusyError."""
        return _run(lambda: self._holds(sync_id, plan_id))

    async def _deliver(self, data: Path, manifest: Path) -> None:
        async with self._session() as sftp:
            await sftp.makedirs(self._folder, exist_ok=True)
            await self._put(sftp, data)
            await self._put(sftp, manifest)
            # A list left in another format would keep people who have withdrawn since.
            for suffix in set(SUFFIXES.values()) - {data.suffix}:
                with suppress(asyncssh.SFTPNoSuchFile):
                    await sftp.remove(self._at(data.with_suffix(suffix).name))

    async def _put(self, sftp: asyncssh.SFTPClient, local: Path) -> None:
        temporary = self._at(f".{local.name}.tmp")
        async with sftp.open(temporary, "wb") as remote:
            with local.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    await remote.write(chunk)
            with suppress(asyncssh.SFTPOpUnsupported):  # the best that such a server offers
                await remote.fsync()
        try:
            await sftp.posix_rename(temporary, self._at(local.name))
        except asyncssh.SFTPOpUnsupported:
            await sftp.remove(temporary)
            raise ConfigError(
                "the SFTP server cannot replace a file at once (posix-rename@openssh.com)",
                fix="deliver to a server that can, OpenSSH for example",
            ) from None

    async def _holds(self, sync_id: str, plan_id: str) -> bool:
        async with self._session() as sftp:
            try:
                async with sftp.open(self._at(f"{sync_id}.manifest.json"), "rb") as remote:
                    told = Manifest(**json.loads(await remote.read(_LARGEST_MANIFEST)))
                size = await sftp.getsize(self._at(told.file))
            except asyncssh.SFTPNoSuchFile:
                return False
        return told.plan_id == plan_id and size == told.bytes

    def _at(self, name: str) -> str:
        return f"{self._folder}/{name}"

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[asyncssh.SFTPClient]:
        async with (
            asyncssh.connect(
                **self._login,
                config=None,
                agent_path=None,
                connect_timeout=_PATIENCE,
                login_timeout=_PATIENCE,
                keepalive_interval=_PATIENCE,
            ) as connection,
            connection.start_sftp_client() as sftp,
        ):
            yield sftp


def _credentials() -> dict[str, Any]:
    """What `asyncssh.connect` needs, from environment variables only; ConfigError names them."""
    password, key_file = os.environ.get("SFTP_PASSWORD"), os.environ.get("SFTP_KEY_FILE")
    if not password and not key_file:
        raise ConfigError(
            "neither SFTP_PASSWORD nor SFTP_KEY_FILE is set", key="SFTP_PASSWORD",
            fix="export one of them",
        )  # fmt: skip
    try:
        pinned = asyncssh.import_public_key(require_variable("SFTP_HOST_KEY", "channel sftp"))
    except asyncssh.KeyImportError:
        raise ConfigError(
            "SFTP_HOST_KEY is no public key", key="SFTP_HOST_KEY",
            fix="the server's line of ssh-keyscan without the name: ssh-ed25519 AAAA...",
        ) from None  # fmt: skip
    try:
        keys = [asyncssh.read_private_key(key_file)] if key_file else None
    except (OSError, asyncssh.KeyImportError):
        raise ConfigError(
            "SFTP_KEY_FILE is no private key that can be read", key="SFTP_KEY_FILE",
            fix="the path of a key without a passphrase, readable by this user only",
        ) from None  # fmt: skip
    return {
        "username": require_variable("SFTP_USER", "channel sftp"),
        "password": password,
        "client_keys": keys,
        "known_hosts": ([pinned], [], []),
    }


def _run(work: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Carry it out; the library's errors in our words, without what the server said of files."""
    try:
        return asyncio.run(work())
    except asyncssh.HostKeyNotVerifiable:
        raise ConfigError(
            "the SFTP server is not the one that SFTP_HOST_KEY pins; nothing was sent",
            key="SFTP_HOST_KEY", fix="find out why before you change the key",
        ) from None  # fmt: skip
    except asyncssh.PermissionDenied:
        raise ConfigError("the SFTP server refuses SFTP_USER", key="SFTP_USER") from None
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection):
        raise BusyError("the SFTP server went away", fix="try again later") from None
    except asyncssh.SFTPError as problem:
        kind = type(problem).__name__
        raise KhachError(
            f"the SFTP server refuses the delivery: {kind}",
            fix="may SFTP_USER write in the folder, is there room?",
        ) from None
    except (OSError, asyncssh.Error, TimeoutError) as problem:
        raise BusyError(
            f"the SFTP server cannot be reached: {type(problem).__name__}", fix="try again later"
        ) from None


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A private folder, empty at first and gone at the end; a killed delivery's is emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
