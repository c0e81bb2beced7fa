"""Servers as processes of their own: numbers are used again, and the dead may await their parent.

Where nobody reaps (a container's first process often does not), a process that ended stays listed
as a zombie for good; here that counts as ended.
"""

from __future__ import annotations

import time

import psutil


def is_alive(pid: int, *words: str) -> bool:
    """Whether process `pid` runs and has all `words` among its arguments."""
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        return process.status() != psutil.STATUS_ZOMBIE and all(word in command for word in words)
    except psutil.Error:
        return False


def has_ended(pid: int, *, seconds: float) -> bool:
    """Wait until process `pid` has ended; False when it runs on after `seconds`."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
