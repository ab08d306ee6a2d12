"""What the venue lists, and what it costs, as the gate counts: in the instruments' units."""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from suite.fixed import USD_ONE, Price, Usd, parse_decimal
from suite.instrument import Instrument, MarginTier

NEVER_S: Final = float("inf")


class _Asset(msgspec.Struct):
    name: str
    szDecimals: int  # noqa: N815 - the wire's own names
    maxLeverage: int  # noqa: N815
    marginTableId: int | None = None  # noqa: N815


class _Tier(msgspec.Struct):
    lowerBound: str  # noqa: N815
    maxLeverage: int  # noqa: N815


class _Table(msgspec.Struct):
    marginTiers: tuple[_Tier, ...]  # noqa: N815


class _Meta(msgspec.Struct):
    universe: tuple[_Asset, ...]
    marginTables: tuple[tuple[int, _Table], ...] = ()  # noqa: N815


_meta: Final = msgspec.json.Decoder(_Meta)


def read_universe(body: bytes) -> tuple[Instrument, ...]:
    """Read the venue's `meta`.

    Raises:
        msgspec.DecodeError, ValueError: it is none.
    """
    meta = _meta.decode(body)
    tables = dict(meta.marginTables)
    found = []
    for asset in meta.universe:
        flat = (_Tier(lowerBound="0.0", maxLeverage=asset.maxLeverage),)
        table = tables.get(asset.marginTableId or 0)
        rows = table.marginTiers if table is not None and table.marginTiers else flat
        tiers = tuple(
            MarginTier(
                lower_bound_usd=Usd(int(parse_decimal(row.lowerBound) * USD_ONE)),
                max_leverage=row.maxLeverage,
            )
            for row in rows
        )
        found.append(Instrument(coin=asset.name, sz_decimals=asset.szDecimals, tiers=tiers))
    return tuple(found)


class Universe:
    """What the venue lists.

    Attributes:
        instruments: in its order; an asset id is an index.
        index: by coin.
    """

    def __init__(self) -> None:
        self.instruments: tuple[Instrument, ...] = ()
        self.index: Mapping[str, int] = {}

    def take(self, instruments: tuple[Instrument, ...]) -> None:
        """Replace it."""
        if instruments != self.instruments:
            self.instruments = instruments
            self.index = {one.coin: number for number, one in enumerate(instruments)}


class Mids:
    """Mid prices, as pushed."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.version = 0
        self._texts: Mapping[str, str] = {}
        self._heard_s = -NEVER_S
        self._now_s = now_s
        self._read: tuple[int, tuple[Instrument, ...], Mapping[int, Price]] = (-1, (), {})

    @property
    def age_s(self) -> float:
        """Since they were told; infinite before."""
        return self._now_s() - self._heard_s

    def take(self, texts: Mapping[str, str]) -> None:
        """Replace them."""
        self._texts, self._heard_s = texts, self._now_s()
        self.version += 1

    def by_asset(self, universe: Universe) -> Mapping[int, Price]:
        """Read them in the units of the instruments; half a unit to the even one."""
        version, instruments, found = self._read
        if version != self.version or instruments is not universe.instruments:
            found = {
                number: Price(price)
                for number, one in enumerate(universe.instruments)
                if (price := nearest(self._texts.get(one.coin, ""), one.price_decimals))
            }
            self._read = (self.version, universe.instruments, found)
        return found


def nearest(text: str, decimals: int) -> int | None:
    """Read a number in units of 10^-decimals, halves to even; None where it is none."""
    try:
        return units(parse_decimal(text), decimals)
    except (ValueError, ArithmeticError):
        return None


def units(value: Decimal, decimals: int) -> int:
    """Write a number in units of 10^-decimals, halves to even."""
    return int(value.scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))
