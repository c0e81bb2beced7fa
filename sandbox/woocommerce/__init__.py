"""The sandbox's web shop as WooCommerce shows it: a local server that speaks its REST API wc/v3.

It keeps nothing of its own but what was asked of it (orders put into the bin): everything else is
what the shop's exports say up to the present day. Orders are there from 30 days before the end of
the history, the older ones are in the exports alone.
"""

from sandbox.woocommerce.process import start, stop

__all__ = ["start", "stop"]
