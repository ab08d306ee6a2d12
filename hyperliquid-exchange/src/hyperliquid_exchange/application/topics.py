"""What a subscription is for, and which one a message of the venue belongs to.

A message names its channel and little else. Some channels do not say whose they are (the updates of
orders, the events of a user), or how the book was rounded. So each subscription has a `Route`, all
that its messages tell of it, and no two with the same route share a connection.

Source: venue documentation "Subscriptions", captures of its clients, read 2026-11.
"""

from typing import Any, Final, TypeAlias

import msgspec

from suite.contracts import hyperliquid_ws as ws

Route: TypeAlias = tuple[str, ...]

ACK: Final = "subscriptionResponse"
ERROR: Final = "error"
PONG: Final = "pong"

_BY_USER: Final = frozenset(
    {
        "allDexsClearinghouseState",
        "spotState",
        "userFills",
        "userFundings",
        "userHistoricalOrders",
        "userNonFundingLedgerUpdates",
        "userTwapHistory",
        "userTwapSliceFills",
        "webData2",
    }
)
_BY_USER_AND_DEX: Final = frozenset({"clearinghouseState", "openOrders", "twapStates"})
_BY_COIN: Final = frozenset({"activeAssetCtx", "bbo", "l2Book"})
_BY_DEX: Final = frozenset({"allMids", "assetCtxs"})
_CHANNELS: Final = {"userEvents": "user", "activeSpotAssetCtx": "activeAssetCtx"}
"""Channels that are not named after their subscription."""
_LOGS: Final = frozenset(
    {
        "candle",
        "notification",
        "orderUpdates",
        "trades",
        "user",
        "userFills",
        "userFundings",
        "userHistoricalOrders",
        "userNonFundingLedgerUpdates",
        "userTwapHistory",
        "userTwapSliceFills",
    }
)
"""Channels of what happened: none of their messages may be left out."""
_WITHOUT_SNAPSHOT: Final = frozenset({"notification", "user"})

_encode = msgspec.json.Encoder().encode


class _Labels(msgspec.Struct):
    user: str = ""
    coin: str = ""
    dex: str | None = ""
    s: str = ""
    i: str = ""
    time: int = 0
    serverTime: int = 0  # noqa: N815 - the wire's own name


class _Row(msgspec.Struct):
    coin: str = ""


class Message(msgspec.Struct):
    """Anything that the venue sends."""

    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


class Acknowledged(msgspec.Struct):
    """Content of the answer to a subscription."""

    method: str
    subscription: msgspec.Raw


_message: Final = msgspec.json.Decoder(Message)
_ack: Final = msgspec.json.Decoder(Acknowledged)
_named: Final = msgspec.json.Decoder(ws.Subscription)
_labels: Final = msgspec.json.Decoder(_Labels)
_rows: Final = msgspec.json.Decoder(list[_Row])


def read(data: bytes) -> Message:
    """Read a message's channel.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError: it is none.
    """
    return _message.decode(data)


def read_ack(message: Message) -> tuple[str, ws.Named | None]:
    """Read what an answer to a subscription is about: the method, and the subscription if known."""
    ack = _ack.decode(message.data)
    return ack.method, read_subscription(bytes(ack.subscription))


def read_subscription(text: bytes) -> ws.Named | None:
    """Read a subscription in its one form; None where it is none that is known."""
    try:
        return canonical(ws.normal(_named.decode(text)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def canonical(wanted: ws.Named) -> ws.Named:
    """Write what asks for the same in the same way.

    Args:
        wanted: its address, if it has one, in lower case.
    """
    match wanted:
        case ws.UserEventsAlias():
            return ws.UserEvents(user=wanted.user)
        case ws.L2Book():
            return msgspec.structs.replace(wanted, fast=msgspec.UNSET)
        case ws.SpotState() if wanted.isPortfolioMargin is None:
            return ws.SpotState(user=wanted.user)
    if hasattr(wanted, "dex") and not wanted.dex:
        return msgspec.structs.replace(wanted, dex=msgspec.UNSET)
    return wanted


def key_of(wanted: ws.Named) -> str:
    """Name a subscription; the same for all that ask for the same."""
    return _encode(canonical(wanted)).decode()


def user_of(wanted: ws.Named) -> str:
    """Address it is about, empty for the market."""
    return wanted.user if isinstance(wanted, ws.OfUser) else ""


def route_to(wanted: ws.Named) -> Route:
    """Tell what messages of a subscription will tell of it."""
    wanted = canonical(wanted)
    kind = str(wanted.__struct_config__.tag)
    channel = _CHANNELS.get(kind, kind)
    fields: dict[str, Any] = msgspec.structs.asdict(wanted)
    coin, user, dex = (fields.get(name) or "" for name in ("coin", "user", "dex"))
    if isinstance(wanted, ws.Candle):
        return (channel, coin, wanted.interval)
    if isinstance(wanted, ws.ActiveAssetData):
        return (channel, user, coin)
    return _route(channel, user=user, coin=coin, dex=dex)


def route_of(message: Message) -> Route:
    """Tell which subscription a message belongs to.

    Raises:
        msgspec.DecodeError: its content cannot be read.
    """
    channel = _CHANNELS.get(message.channel, message.channel)
    if channel == "trades":
        rows = _rows.decode(message.data)
        return (channel, rows[0].coin if rows else "")
    if channel in _BY_USER or channel in _BY_USER_AND_DEX or channel in _BY_COIN | _BY_DEX:
        told = _labels.decode(message.data)
        return _route(channel, user=told.user.lower(), coin=told.coin, dex=told.dex or "")
    if channel == "candle":
        told = _labels.decode(message.data)
        return (channel, told.s, told.i)
    if channel == "activeAssetData":
        told = _labels.decode(message.data)
        return (channel, told.user.lower(), told.coin)
    return (channel,)


def time_of(message: Message) -> int:
    """The venue's time of a state, epoch ms; 0 where it does not say."""
    if message.channel not in {"l2Book", "bbo", "webData2"}:
        return 0
    told = _labels.decode(message.data)
    return told.serverTime or told.time


def is_log(wanted: ws.Named) -> bool:
    """Whether its messages tell what happened, each once; else each tells a whole state."""
    return route_to(wanted)[0] in _LOGS


def has_snapshot(wanted: ws.Named) -> bool:
    """Whether the venue begins with what is, or was before."""
    return route_to(wanted)[0] not in _WITHOUT_SNAPSHOT


def _route(channel: str, *, user: str, coin: str, dex: str) -> Route:
    if channel in _BY_USER:
        return (channel, user)
    if channel in _BY_USER_AND_DEX:
        return (channel, user, dex)
    if channel in _BY_COIN or channel == "trades":
        return (channel, coin)
    if channel in _BY_DEX:
        return (channel, dex)
    return (channel,)
