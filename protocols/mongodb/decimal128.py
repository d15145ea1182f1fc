"""IEEE 754-2008 decimal128 as BSON stores it: 16 bytes, little endian, binary integer significand (BID).

Source: MongoDB specifications, "BSON Decimal128 Type Handling in Drivers".
"""
from __future__ import annotations

LARGEST = 10**34 - 1
BIAS = 6176


def decimal128(data: bytes) -> str:
    """The number as text: scientific when the exponent is above 0 or the number small, else plain."""
    low, high = int.from_bytes(data[:8], "little"), int.from_bytes(data[8:16], "little")
    sign = "-" if high >> 63 else ""
    top = high >> 58 & 0x1F
    if top == 0x1F:
        return "NaN"
    if top == 0x1E:
        return sign + "Infinity"
    if high >> 61 & 3 == 3:
        exponent, coefficient = (high >> 47 & 0x3FFF) - BIAS, 0
    else:
        exponent, coefficient = (high >> 49 & 0x3FFF) - BIAS, (high & (1 << 49) - 1) << 64 | low
    if coefficient > LARGEST:
        coefficient = 0
    digits = str(coefficient)
    adjusted = exponent + len(digits) - 1
    if exponent > 0 or adjusted < -6:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}E{adjusted:+d}"
    if exponent == 0:
        return sign + digits
    digits = digits.rjust(1 - exponent, "0")
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"
