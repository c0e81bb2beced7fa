"""The sandbox's tills as Square shows them: a local server that speaks its API, version 2025-08-20.

It keeps nothing: everything is what the tills hold up to the present day. Receipts are there from
30 days before the end of the history, the older ones are in the tills' own database alone.
"""

from sandbox.square.process import start, stop

__all__ = ["start", "stop"]
