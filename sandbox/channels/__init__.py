"""Platforms that receive messages and audiences, for a retailer who sends to them.

One server process mounts every vendor of the registry under `/<name>`; it speaks their published
APIs and is started only when an audience file names one of `CHANNELS`.
"""

from sandbox.channels.process import CHANNELS, new_keys, start, stop, variables
from sandbox.channels.reading import call_list, load_inbox, texts

__all__ = ["CHANNELS", "call_list", "load_inbox", "new_keys", "start", "stop", "texts", "variables"]
