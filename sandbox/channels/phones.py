"""Mobile numbers of Viet Nam: nine digits after the country code, the first of them 3, 5, 7, 8, 9.

Since the change of 15 September 2018 every mobile number has ten digits with its leading zero
(03x, 05x, 07x, 08x, 09x); 02x are land lines.
https://lawnet.vn/en/laws/what-is-the-current-list-of-prefixes-of-vietnamese-phone-numbers-of-mobile-network-operators-what-i-134777.html
"""

import re

_MOBILE = re.compile(r"84[35789][0-9]{8}")
_ANY = re.compile(r"84[0-9]{9,10}")


def is_number(digits: str) -> bool:
    """Whether digits with the country code can be a number of Viet Nam."""
    return bool(_ANY.fullmatch(digits))


def is_mobile(digits: str) -> bool:
    """Whether digits with the country code are a mobile number of Viet Nam."""
    return bool(_MOBILE.fullmatch(digits))
