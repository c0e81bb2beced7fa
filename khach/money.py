"""Money as people read it: as many decimals as the currency has coins for."""

from decimal import ROUND_HALF_UP, Decimal

# ISO 4217, currencies whose minor unit is not the hundredth.
_DECIMALS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
     "VUV", "XAF", "XOF", "XPF"), 0,
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)  # fmt: skip


def decimals(currency: str) -> int:
    """How many decimals an amount of an ISO 4217 currency is written with."""
    return _DECIMALS.get(currency, 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount (an average has more decimals) as it can be paid; for reading, never for sums."""
    return amount.quantize(Decimal(1).scaleb(-decimals(currency)), ROUND_HALF_UP)
