"""Frames of the venue's WebSocket: what a client may say, and the words of the answers.

Source: venue documentation "WebSocket" and the requests of its clients, read 2026-11.
"""

# ruff: noqa: N815 - the names are the wire's

from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from suite.addresses import AddressText, normal_address

MALFORMED: Final = "Error parsing JSON into valid websocket request: {text}"
INVALID: Final = "Invalid subscription {json}"
ALREADY_SUBSCRIBED: Final = "Already subscribed: {json}"
ALREADY_UNSUBSCRIBED: Final = "Already unsubscribed: {json}"
TOO_MANY_USERS: Final = "Cannot track more than {limit} total users."
TOO_MANY_CHANNELS: Final = "Cannot subscribe to more than {limit} channels."
TOO_MANY_MESSAGES: Final = "Cannot send more than {limit} messages per minute."
TOO_MANY_POSTS: Final = "too many pending post requests id={id}"

Coin = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Dex = Annotated[str, msgspec.Meta(max_length=64)] | UnsetType | None
Interval = Literal[
    "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M"
]
RequestId = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class Named(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Base of the subscriptions; echoed as it is, so absent fields stay absent."""


class OfUser(Named, frozen=True, kw_only=True):
    """Base of those that concern one account.

    Attributes:
        user: its address, in any case.
    """

    user: AddressText


class AllMids(Named, frozen=True, kw_only=True, tag="allMids"):
    """Mid prices of all coins."""

    dex: Dex = UNSET


class L2Book(Named, frozen=True, kw_only=True, tag="l2Book"):
    """The book of a coin, whole each time."""

    coin: Coin
    nSigFigs: Literal[2, 3, 4, 5] | None = None
    mantissa: Literal[2, 5] | None = None
    fast: bool | UnsetType = UNSET


class Bbo(Named, frozen=True, kw_only=True, tag="bbo"):
    """The best level of each side, when it changes."""

    coin: Coin


class Trades(Named, frozen=True, kw_only=True, tag="trades"):
    """Public trades of a coin."""

    coin: Coin


class Candle(Named, frozen=True, kw_only=True, tag="candle"):
    """Candles of a coin: the present one as it grows, each once more when it is closed."""

    interval: Interval
    coin: Coin


class ActiveAssetCtx(Named, frozen=True, kw_only=True, tag="activeAssetCtx"):
    """State of a coin's market."""

    coin: Coin


class AssetCtxs(Named, frozen=True, kw_only=True, tag="assetCtxs"):
    """State of every coin's market."""

    dex: Dex = UNSET


class AllDexsAssetCtxs(Named, frozen=True, kw_only=True, tag="allDexsAssetCtxs"):
    """The same, by dex."""


class SpotAssetCtxs(Named, frozen=True, kw_only=True, tag="spotAssetCtxs"):
    """State of every spot market."""


class OrderUpdates(OfUser, frozen=True, kw_only=True, tag="orderUpdates"):
    """Changes of the state of orders."""


class UserEvents(OfUser, frozen=True, kw_only=True, tag="userEvents"):
    """Fills, funding, liquidations, and cancels by the venue."""


class UserEventsAlias(OfUser, frozen=True, kw_only=True, tag="user"):
    """The same by its other name."""


class UserFills(OfUser, frozen=True, kw_only=True, tag="userFills"):
    """Fills of an account; the echo names the choice, made or not."""

    aggregateByTime: bool | None = False


class UserFundings(OfUser, frozen=True, kw_only=True, tag="userFundings"):
    """Funding an account paid and received."""


class UserLedger(OfUser, frozen=True, kw_only=True, tag="userNonFundingLedgerUpdates"):
    """Money that moved otherwise than by trading and funding."""


class UserHistoricalOrders(OfUser, frozen=True, kw_only=True, tag="userHistoricalOrders"):
    """Every change of every order, with all that a user interface shows."""


class UserTwapSliceFills(OfUser, frozen=True, kw_only=True, tag="userTwapSliceFills"):
    """Fills of TWAP orders."""


class UserTwapHistory(OfUser, frozen=True, kw_only=True, tag="userTwapHistory"):
    """TWAP orders."""


class Clearinghouse(OfUser, frozen=True, kw_only=True, tag="clearinghouseState"):
    """Money and positions."""

    dex: Dex = UNSET


class AllDexsClearinghouse(OfUser, frozen=True, kw_only=True, tag="allDexsClearinghouseState"):
    """The same, by dex."""


class SpotState(OfUser, frozen=True, kw_only=True, tag="spotState"):
    """Balances of the spot wallet."""

    isPortfolioMargin: bool | UnsetType | None = UNSET


class OpenOrders(OfUser, frozen=True, kw_only=True, tag="openOrders"):
    """Open orders, all of them each time."""

    dex: Dex = UNSET


class TwapStates(OfUser, frozen=True, kw_only=True, tag="twapStates"):
    """TWAP orders that run."""

    dex: Dex = UNSET


class ActiveAssetData(OfUser, frozen=True, kw_only=True, tag="activeAssetData"):
    """What an account may trade of a coin."""

    coin: Coin


class WebData2(OfUser, frozen=True, kw_only=True, tag="webData2"):
    """Everything the venue's own page shows of an account."""


class WebData3(OfUser, frozen=True, kw_only=True, tag="webData3"):
    """What replaced it."""


class Notification(OfUser, frozen=True, kw_only=True, tag="notification"):
    """Texts for the user."""


Subscription = (
    AllMids
    | L2Book
    | Bbo
    | Trades
    | Candle
    | ActiveAssetCtx
    | AssetCtxs
    | AllDexsAssetCtxs
    | SpotAssetCtxs
    | OrderUpdates
    | UserEvents
    | UserEventsAlias
    | UserFills
    | UserFundings
    | UserLedger
    | UserHistoricalOrders
    | UserTwapSliceFills
    | UserTwapHistory
    | Clearinghouse
    | AllDexsClearinghouse
    | SpotState
    | OpenOrders
    | TwapStates
    | ActiveAssetData
    | WebData2
    | WebData3
    | Notification
)
SUBSCRIPTIONS: Final[tuple[type[Named], ...]] = get_args(Subscription)


class Said(msgspec.Struct, frozen=True, kw_only=True, tag_field="method"):
    """Base of what a client says; keys it does not know are ignored, ccxt sends some."""


class Subscribe(Said, frozen=True, kw_only=True, tag="subscribe"):
    """Begin to send a channel."""

    subscription: Subscription


class Unsubscribe(Said, frozen=True, kw_only=True, tag="unsubscribe"):
    """Send it no longer."""

    subscription: Subscription


class Ping(Said, frozen=True, kw_only=True, tag="ping"):
    """Ask for a sign of life."""


class PostRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that could have been sent over HTTP.

    Attributes:
        payload: the body it would have had, untouched: actions are signed.
    """

    type: Literal["info", "action"]
    payload: msgspec.Raw


class Post(Said, frozen=True, kw_only=True, tag="post"):
    """Answer a request of `/info` or `/exchange` over this connection."""

    id: RequestId
    request: PostRequest


Frame = Subscribe | Unsubscribe | Ping | Post
_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


def decode_frame(text: str) -> Frame | None:
    """Read a frame, None where it means nothing.

    Never raises, whatever the text: not JSON, of another shape, nested without end.
    """
    try:
        frame = _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if isinstance(frame, Subscribe | Unsubscribe):
        subscription: Any = normal(frame.subscription)
        return msgspec.structs.replace(frame, subscription=subscription)
    return frame


def normal(subscription: Named) -> Named:
    """Write a subscription as the venue echoes it."""
    if not isinstance(subscription, OfUser):
        return subscription
    user = normal_address(subscription.user)
    if isinstance(subscription, UserFills) and subscription.aggregateByTime is None:
        subscription = UserFills(user=user)
    return msgspec.structs.replace(subscription, user=user)
