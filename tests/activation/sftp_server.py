"""A real SFTP server on loopback: asyncssh's own, in a thread, over a folder."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "khach", "open sesame"


@dataclass
class Server:
    """What a test reads and bends: `writes_left` ends the connection in the middle of a file."""

    folder: Path
    host_key: asyncssh.SSHKey
    client_key: asyncssh.SSHKey
    port: int = 0
    writes_left: int | None = None
    can_fsync: bool = True
    can_replace: bool = True
    log: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """What a client needs."""
        return {
            "SFTP_ADDRESS": f"127.0.0.1:{self.port}",
            "SFTP_FOLDER": "/in/lists",
            "SFTP_USER": USER,
            "SFTP_PASSWORD": PASSWORD,
            "SFTP_HOST_KEY": self.host_key.export_public_key().decode().strip(),
        }


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """A server over `folder`; a slash is that folder."""
    folder.mkdir(parents=True)
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    server = Server(folder, *keys)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=_run, args=(server, loop, ready), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield server
    loop.call_soon_threadsafe(loop.stop)
    thread.join(20)


def _run(server: Server, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    acceptor = loop.run_until_complete(
        asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[server.host_key],
            server_factory=lambda: _Login(server), sftp_factory=lambda chan: _Files(server, chan),
        )
    )  # fmt: skip
    server.port = acceptor.get_port()
    ready.set()
    loop.run_forever()
    acceptor.close()
    loop.run_until_complete(acceptor.wait_closed())
    loop.close()


class _Login(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == self._server.client_key.convert_to_public()


class _Files(asyncssh.SFTPServer):
    def __init__(self, server: Server, chan: asyncssh.SSHServerChannel) -> None:
        super().__init__(chan, chroot=str(server.folder).encode())
        self._server, self._chan = server, chan

    def write(self, file_obj: Any, offset: int, data: bytes) -> int:
        if self._server.writes_left is not None:
            self._server.writes_left -= 1
            if self._server.writes_left < 0:
                self._chan.get_connection().abort()
                raise asyncssh.SFTPConnectionLost("gone")
        return super().write(file_obj, offset, data)

    def fsync(self, file_obj: Any) -> None:
        if not self._server.can_fsync:
            raise asyncssh.SFTPOpUnsupported("fsync")
        self._server.log.append("fsync")
        super().fsync(file_obj)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        if not self._server.can_replace:
            raise asyncssh.SFTPOpUnsupported("posix-rename")
        self._server.log.append(f"rename {newpath.decode().rsplit('/', 1)[-1]}")
        super().posix_rename(oldpath, newpath)
