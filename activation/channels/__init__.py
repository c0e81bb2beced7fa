"""The registry: a new channel is one file here and one line below (docs/new-channel.md)."""

from collections.abc import Mapping

from activation.channels.base import Channel, resolve_remote
from activation.channels.file_drop import FileDrop
from activation.channels.google_ads import GoogleAds
from activation.channels.hubspot import Hubspot
from activation.channels.mailchimp import Mailchimp
from activation.channels.meta_ads import MetaAds
from activation.channels.onesignal import OneSignal
from activation.channels.sftp import Sftp
from activation.channels.tiktok_ads import TiktokAds
from activation.channels.twilio import Twilio
from activation.channels.webhook import Webhook
from activation.channels.zalo_zns import ZaloZns
from khach.environment import Environment

CHANNELS: dict[str, type[Channel]] = {
    "mailchimp": Mailchimp,
    "twilio": Twilio,
    "zalo_zns": ZaloZns,
    "onesignal": OneSignal,
    "webhook": Webhook,
    "hubspot": Hubspot,
    "meta_ads": MetaAds,
    "google_ads": GoogleAds,
    "tiktok_ads": TiktokAds,
    "file_drop": FileDrop,
    "sftp": Sftp,
}


def make_channel(env: Environment, name: str, remote: Mapping[str, str], sync_id: str) -> Channel:
    """A channel ready to talk to the destination of a sync.

    Raises ConfigError when a variable is not set or the environment must not call the address.
    """
    kind = CHANNELS[name]
    return kind(env, resolve_remote(kind.capabilities, remote, sync_id))
