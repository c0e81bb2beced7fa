"""No test, and no process that a test starts, may reach anything but this machine.

Python imports `sitecustomize` at start-up; the folder stands on PYTHONPATH of every child process.
An audit hook cannot be removed or patched away by the code under test.
"""

import ipaddress
import sys


def _is_local(host: object) -> bool:
    if host is None or host in ("", "localhost", b"localhost"):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _guard(event: str, args: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise PermissionError("the network is blocked in tests, except loopback")
    elif event == "socket.getaddrinfo" and not _is_local(args[0]):
        raise PermissionError("name look-ups are blocked in tests, except localhost")


sys.addaudithook(_guard)
