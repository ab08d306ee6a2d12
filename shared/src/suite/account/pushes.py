"""How a venue writes what it pushes about one account, and about the prices beside it.

Source: venue documentation "WebSocket", read 2026-11.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from suite.account.events import (
    AccountEvent,
    BestPush,
    FillsPush,
    FundingPayment,
    FundingsPush,
    LedgerPush,
    Level,
    MidsPush,
    OrderChange,
    OrdersPush,
    StatePush,
)
from suite.contracts.hyperliquid_info import ClearinghouseState, LedgerRow, OpenOrder, UserFill


class _State(msgspec.Struct):
    clearinghouseState: ClearinghouseState  # noqa: N815 - the wire's own names
    openOrders: tuple[OpenOrder, ...]  # noqa: N815
    serverTime: int  # noqa: N815


class _Fills(msgspec.Struct):
    fills: tuple[UserFill, ...]
    isSnapshot: bool = False  # noqa: N815


class _Fundings(msgspec.Struct):
    fundings: tuple[FundingPayment, ...]
    isSnapshot: bool = False  # noqa: N815


class _Ledger(msgspec.Struct):
    nonFundingLedgerUpdates: tuple[LedgerRow, ...]  # noqa: N815
    isSnapshot: bool = False  # noqa: N815


class _Mids(msgspec.Struct):
    mids: dict[str, str]


class _Best(msgspec.Struct):
    coin: str
    bbo: tuple[Level | None, Level | None]


class _Envelope(msgspec.Struct):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


def _state(data: _State) -> AccountEvent:
    return StatePush(
        state=data.clearinghouseState, open_orders=data.openOrders, server_ms=data.serverTime
    )


def _fills(data: _Fills) -> AccountEvent:
    return FillsPush(fills=data.fills, snapshot=data.isSnapshot)


def _orders(data: tuple[OrderChange, ...]) -> AccountEvent:
    return OrdersPush(changes=data)


def _fundings(data: _Fundings) -> AccountEvent:
    return FundingsPush(fundings=data.fundings, snapshot=data.isSnapshot)


def _ledger(data: _Ledger) -> AccountEvent:
    return LedgerPush(rows=data.nonFundingLedgerUpdates, snapshot=data.isSnapshot)


def _mids(data: _Mids) -> AccountEvent:
    return MidsPush(mids=data.mids)


def _best(data: _Best) -> AccountEvent:
    bid, ask = data.bbo
    return BestPush(coin=data.coin, bid=bid, ask=ask)


_envelope: Final = msgspec.json.Decoder(_Envelope)
_READERS: Final[dict[str, tuple[msgspec.json.Decoder[Any], Callable[[Any], AccountEvent]]]] = {
    "webData2": (msgspec.json.Decoder(_State), _state),
    "userFills": (msgspec.json.Decoder(_Fills), _fills),
    "orderUpdates": (msgspec.json.Decoder(tuple[OrderChange, ...]), _orders),
    "userFundings": (msgspec.json.Decoder(_Fundings), _fundings),
    "userNonFundingLedgerUpdates": (msgspec.json.Decoder(_Ledger), _ledger),
    "allMids": (msgspec.json.Decoder(_Mids), _mids),
    "bbo": (msgspec.json.Decoder(_Best), _best),
}


def read_message(data: bytes) -> Sequence[AccountEvent]:
    """Read a message; nothing where it carries none, as a pong.

    Raises:
        msgspec.DecodeError: it is not of the shape that its channel has.
    """
    message = _envelope.decode(data)
    reader = _READERS.get(message.channel)
    if reader is None:
        return ()
    decoder, make = reader
    return (make(decoder.decode(message.data)),)
