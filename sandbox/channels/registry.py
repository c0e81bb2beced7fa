"""The registry: a new platform is one module here and one line below."""

from sandbox.channels import google, hubspot, meta, onesignal, tiktok, twilio, webhook, zalo
from sandbox.channels.vendor import Vendor

VENDORS: tuple[Vendor, ...] = (
    google.VENDOR,
    hubspot.VENDOR,
    meta.VENDOR,
    tiktok.VENDOR,
    webhook.VENDOR,
    twilio.VENDOR,
    zalo.VENDOR,
    onesignal.VENDOR,
)
