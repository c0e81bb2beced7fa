"""The registry: a new platform is one module here and one line below."""

from sandbox.channels import onesignal, twilio, webhook, zalo
from sandbox.channels.vendor import Vendor

VENDORS: tuple[Vendor, ...] = (
    webhook.VENDOR,
    twilio.VENDOR,
    zalo.VENDOR,
    onesignal.VENDOR,
)
