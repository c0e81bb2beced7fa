"""Vendors through whose APIs the shop and the tills can be shown besides, when asked for."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox import woocommerce
from sandbox.server_process import Running, running_server

VENDORS = ("woocommerce",)


def new_keys() -> dict[str, str]:
    """Keys in the vendors' forms."""
    return {
        "woocommerce_key": f"ck_{secrets.token_hex(20)}",
        "woocommerce_secret": f"cs_{secrets.token_hex(20)}",
    }


def start(root: Path, keys: Mapping[str, str], also: Iterable[str]) -> dict[str, Running]:
    """Start the wanted ones; what runs by now, by vendor."""
    wanted = set(also) | {name for name in VENDORS if running_server(root, name)}
    shown = {}
    if "woocommerce" in wanted:
        shown["woocommerce"] = woocommerce.start(
            root, keys["woocommerce_key"], keys["woocommerce_secret"]
        )
    return shown


def stop(root: Path) -> None:
    """End those that run."""
    for name in VENDORS:
        if running_server(root, name):
            {"woocommerce": woocommerce}[name].stop(root)


def variables(shown: Mapping[str, Running], keys: Mapping[str, str]) -> dict[str, str]:
    """What an operator would set: addresses and keys."""
    values = {}
    if "woocommerce" in shown:
        values |= {
            "WOOCOMMERCE_URL": f"http://127.0.0.1:{shown['woocommerce']['port']}",
            "WOOCOMMERCE_KEY": keys["woocommerce_key"],
            "WOOCOMMERCE_SECRET": keys["woocommerce_secret"],
        }
    return values
