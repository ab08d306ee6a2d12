"""Numbers of bodies in one notation.

msgspec makes a `Decimal` of every text that Python's own constructor takes: `1_0`, digits of any
script, blanks around them. The value no longer shows it, so the text is looked at beside it.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from suite.fixed import is_decimal


def odd_decimal(value: object, raw: object, place: str = "$") -> str | None:
    """Find a finite number that was read from a text in another notation than ASCII decimals.

    Args:
        value: what was decoded; numbers that are not finite are left to whoever knows their range.
        raw: the same body as plain JSON values.
        place: what to call the top.

    Returns:
        The place of the first one, as `$.orders[0].sz`; None when all are as they should be.
    """
    inner: Iterable[tuple[object, object, str]] = ()
    match value:
        case Decimal() if isinstance(raw, str) and value.is_finite() and not is_decimal(raw):
            return place
        case msgspec.Struct() if isinstance(raw, Mapping):
            names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
            inner = ((getattr(value, n), raw[w], f"{place}.{w}") for n, w in names if w in raw)
        case Mapping() if isinstance(raw, Mapping):
            inner = ((value[key], raw[key], f"{place}.{key}") for key in value if key in raw)
        case list() | tuple() if isinstance(raw, list | tuple):
            inner = (
                (*both, f"{place}[{index}]")
                for index, both in enumerate(zip(value, raw, strict=False))
            )
    return next((found for item in inner if (found := odd_decimal(*item)) is not None), None)
