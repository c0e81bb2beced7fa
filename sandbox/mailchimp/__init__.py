"""The sandbox's e-mail platform: a local server that speaks Mailchimp's Marketing API 3.0.

It keeps its members, tags and campaigns in `root/mailchimp/state.sqlite`, where the tables
`effects` (what really changed) and `requests` (what was asked) prove what a client did.
"""

from sandbox.mailchimp.inbox import load_inbox
from sandbox.mailchimp.process import start, stop
from sandbox.server_process import Running

__all__ = ["Running", "load_inbox", "start", "stop"]
