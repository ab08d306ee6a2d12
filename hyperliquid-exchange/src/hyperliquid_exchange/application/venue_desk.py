"""What the venue itself says of an account, asked for by the risk path.

Nothing pushed is used here: a kill is verified at the venue.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from hyperliquid_exchange.application.ports import Upstream
from hyperliquid_exchange.domain.accounts import LiveAccount
from hyperliquid_exchange.domain.facts import RestingOrder
from suite.contracts.hyperliquid_info import OpenOrder
from suite.errors import UpstreamRefused, UpstreamTimeout, one_line
from suite.fixed import Price, Size, Usd
from suite.ids import TraderId
from suite.instrument import Instrument, MarginTier, is_perp

_OK: Final = 200


class _Frontend(OpenOrder, frozen=True, kw_only=True, omit_defaults=True):
    """An order as the venue's own page shows it."""

    triggerPx: str | None = None  # noqa: N815 - the wire's name
    isTrigger: bool = False  # noqa: N815
    orderType: str = ""  # noqa: N815


class _Held(msgspec.Struct, frozen=True):
    coin: str
    szi: str


class _Place(msgspec.Struct, frozen=True):
    position: _Held


class _State(msgspec.Struct, frozen=True):
    assetPositions: list[_Place]  # noqa: N815


class _Listed(msgspec.Struct, frozen=True):
    name: str
    szDecimals: int  # noqa: N815
    maxLeverage: int = 1  # noqa: N815


class _Meta(msgspec.Struct, frozen=True):
    universe: list[_Listed]


_orders = msgspec.json.Decoder(list[_Frontend])
_state = msgspec.json.Decoder(_State)
_mids = msgspec.json.Decoder(dict[str, str])
_meta = msgspec.json.Decoder(_Meta)


class VenueDesk:
    """Asks the venue.

    Args:
        upstream: the venue.
        accounts: of the traders.
        on_read: told the type of every read that leaves, for the request limits.
    """

    def __init__(
        self,
        upstream: Upstream,
        accounts: Mapping[TraderId, LiveAccount],
        on_read: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._upstream = upstream
        self._accounts = accounts
        self._on_read = on_read
        self._universe: tuple[Instrument, ...] = ()

    async def universe(self) -> Sequence[Instrument]:
        """Tell what is listed; asked for once, it only ever grows at its end.

        Raises:
            UpstreamTimeout, UpstreamUnavailable, UpstreamRefused: nobody can say.
        """
        if not self._universe:
            found = await self._read(_meta, type="meta")
            self._universe = tuple(
                Instrument(
                    coin=one.name,
                    sz_decimals=one.szDecimals,
                    tiers=(MarginTier(lower_bound_usd=Usd(0), max_leverage=one.maxLeverage),),
                )
                for one in found.universe
            )
        return self._universe

    async def orders(self, trader_id: TraderId) -> tuple[RestingOrder, ...]:
        """List what rests, trigger orders included; the spot wallet is another account.

        Raises:
            UpstreamTimeout, UpstreamUnavailable, UpstreamRefused: nobody can say.
        """
        user = self._accounts[trader_id].address
        told = await self._read(_orders, type="frontendOpenOrders", user=user)
        rows = [row for row in told if is_perp(row.coin)]
        places = await self._places(row.coin for row in rows)
        return tuple(
            _resting(row, places[row.coin], self._universe[places[row.coin]]) for row in rows
        )

    async def positions(self, trader_id: TraderId) -> dict[int, Size]:
        """Tell signed sizes by asset; no entry where there is none.

        Raises:
            UpstreamTimeout, UpstreamUnavailable, UpstreamRefused: nobody can say.
        """
        user = self._accounts[trader_id].address
        rows = (await self._read(_state, type="clearinghouseState", user=user)).assetPositions
        places = await self._places(row.position.coin for row in rows)
        found = {
            places[row.position.coin]: self._universe[places[row.position.coin]].parse_size(
                row.position.szi
            )
            for row in rows
        }
        return {asset: size for asset, size in found.items() if size}

    async def mids(self) -> dict[int, Price]:
        """Tell prices by asset; finer ones than the lattice are rounded down.

        Raises:
            UpstreamTimeout, UpstreamUnavailable, UpstreamRefused: nobody can say.
        """
        universe = await self.universe()
        told = await self._read(_mids, type="allMids")
        return {
            asset: _floor(told[one.coin], one.price_decimals)
            for asset, one in enumerate(universe)
            if one.coin in told
        }

    async def _places(self, coins: Any) -> dict[str, int]:
        """Index coins; one that is not known yet is asked for again.

        Raises:
            UpstreamRefused: the venue tells of a coin that it does not list.
        """
        wanted = set(coins)
        known = {one.coin: place for place, one in enumerate(await self.universe())}
        if not wanted <= known.keys():
            self._universe = ()
            known = {one.coin: place for place, one in enumerate(await self.universe())}
        if missing := sorted(wanted - known.keys()):
            raise UpstreamRefused(f"the venue does not list {', '.join(missing)[:100]}")
        return known

    async def _read(self, decoder: msgspec.json.Decoder[Any], **asked: str) -> Any:
        self._on_read(asked["type"])
        status, body = await self._upstream.info(msgspec.json.encode(asked))
        if status != _OK:
            text = body[:100].decode(errors="replace")
            raise UpstreamRefused(one_line(f"{asked['type']}: the venue answered {status}: {text}"))
        try:
            return decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamTimeout(f"{asked['type']}: {one_line(str(error))}") from None


def _resting(row: _Frontend, asset: int, one: Instrument) -> RestingOrder:
    is_trigger = row.isTrigger
    return RestingOrder(
        oid=row.oid,
        cloid=row.cloid,
        asset=asset,
        is_buy=row.side == "B",
        price=_floor(row.limitPx, one.price_decimals),
        size=one.parse_size(row.sz),
        reduce_only=row.reduceOnly,
        trigger=None if not is_trigger else ("tp" if "Profit" in row.orderType else "sl"),
        trigger_price=_floor(row.triggerPx or "0", one.price_decimals) if is_trigger else None,
    )


def _floor(text: str, decimals: int) -> Price:
    whole, _, part = text.partition(".")
    return Price(int((whole or "0") + part[:decimals].ljust(decimals, "0")))
