"""Vendors through whose APIs the shop and the tills can be shown besides, when asked for."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandbox import square, woocommerce
from sandbox.server_process import Running, running_server

VENDORS = ("woocommerce", "square")


def new_keys() -> dict[str, str]:
    """Keys in the vendors' forms."""
    return {
        "woocommerce_key": f"ck_{secrets.token_hex(20)}",
        "woocommerce_secret": f"cs_{secrets.token_hex(20)}",
        "square_token": f"EAAA{secrets.token_urlsafe(32)}",
    }


def start(root: Path, keys: Mapping[str, str], also: Iterable[str]) -> dict[str, Running]:
    """Start the wanted ones; what runs by now, by vendor."""
    wanted = set(also) | {name for name in VENDORS if running_server(root, name)}
    shown = {}
    if "woocommerce" in wanted:
        shown["woocommerce"] = woocommerce.start(
            root, keys["woocommerce_key"], keys["woocommerce_secret"]
        )
    if "square" in wanted:
        shown["square"] = square.start(root, keys["square_token"])
    return shown


def stop(root: Path) -> None:
    """End those that run."""
    for name in VENDORS:
        if running_server(root, name):
            {"woocommerce": woocommerce, "square": square}[name].stop(root)


def variables(shown: Mapping[str, Running], keys: Mapping[str, str]) -> dict[str, str]:
    """What an operator would set: addresses and keys."""
    values: dict[str, str] = {}
    if "woocommerce" in shown:
        values |= {
            "WOOCOMMERCE_URL": f"http://127.0.0.1:{shown['woocommerce']['port']}",
            "WOOCOMMERCE_KEY": keys["woocommerce_key"],
            "WOOCOMMERCE_SECRET": keys["woocommerce_secret"],
        }
    if "square" in shown:
        values |= {
            "SQUARE_URL": shown["square"]["url"],
            "SQUARE_ACCESS_TOKEN": keys["square_token"],
        }
    return values
