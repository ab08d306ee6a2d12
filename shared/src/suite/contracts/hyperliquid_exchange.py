"""What is posted to `/exchange`: the envelope, the actions, and the bytes of them that are signed.

The venue reads an action into types and hashes what it writes itself, in its own order of keys,
with decimals and addresses in one form. These structs have that order, so `canonical` and msgpack
do the same. Keys that are not known are ignored.

Source: hyperliquid-python-sdk 0.24, ccxt 4.5.90, @nktkas/hyperliquid (schemas), read 2026-11.
"""

# ruff: noqa: N815 - the names are the wire's

from typing import Annotated, Any, Final, Literal

import msgspec

from suite.addresses import AddressText, normal_address
from suite.contracts.hyperliquid_signing import USER_SIGNED
from suite.ids import CloidText

_DECIMAL: Final = r"^[0-9]+(\.[0-9]{1,8}0*)?$"
DecimalText = Annotated[str, msgspec.Meta(pattern=_DECIMAL, max_length=64)]
"""Positive, plain, at most eight places but for zeros."""
Scalar = Annotated[str, msgspec.Meta(pattern="^0x[0-9a-fA-F]{1,64}$")]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Text = Annotated[str, msgspec.Meta(max_length=128)]
"""Names, tokens, addresses in any form; what is sent may be kept, so it is short."""


class _Item(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A part of an action; unknown keys in it are ignored."""


class _Action(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="type"):
    """An action that a trader or its agent signs."""


class Signature(_Item):
    """Halves may lack leading zeros."""

    r: Scalar
    s: Scalar
    v: int


class Envelope(_Item):
    """Body of `POST /exchange`; the action is kept as sent."""

    action: msgspec.Raw
    nonce: Natural
    signature: Signature
    vaultAddress: AddressText | None = None
    expiresAfter: Natural | None = None


class LimitKind(_Item):
    """Time in force; `FrontendMarket` fills now like `Ioc` and is recorded as a market order."""

    tif: Literal["Gtc", "Ioc", "Alo", "FrontendMarket"]


class TriggerKind(_Item):
    """Dormant until the mark price is there."""

    isMarket: bool
    triggerPx: DecimalText
    tpsl: Literal["tp", "sl"]


class Kind(_Item):
    """Exactly one of the two."""

    limit: LimitKind | None = None
    trigger: TriggerKind | None = None

    def __post_init__(self) -> None:
        if (self.limit is None) == (self.trigger is None):
            raise ValueError("an order is a limit or a trigger order")


class OrderItem(_Item):
    """One order: asset, is buy, price, size, reduce-only, kind, client id."""

    a: Natural
    b: bool
    p: DecimalText
    s: DecimalText
    r: bool
    t: Kind
    c: CloidText | None = None


class Builder(_Item):
    """Who built the order, and its fee in tenths of a basis point."""

    b: AddressText
    f: Natural


class Priority(_Item):
    """A grouping of single orders that pays for priority."""

    p: Natural


class Order(_Action, tag="order"):
    """Place orders."""

    orders: list[OrderItem]
    grouping: Literal["na", "normalTpsl", "positionTpsl"] | Priority
    builder: Builder | None = None


class CancelItem(_Item):
    """An order by its id."""

    a: Natural
    o: Natural


class Cancel(_Action, tag="cancel"):
    """Cancel by id."""

    cancels: list[CancelItem]
    f: bool = False


class CancelCloidItem(_Item):
    """An order by its client id."""

    asset: Natural
    cloid: CloidText


class CancelByCloid(_Action, tag="cancelByCloid"):
    """Cancel by client id."""

    cancels: list[CancelCloidItem]
    f: bool = False


class ModifyItem(_Item):
    """An order and what replaces it."""

    oid: Natural | CloidText
    order: OrderItem


class BatchModify(_Action, tag="batchModify"):
    """Replace orders."""

    modifies: list[ModifyItem]
    a: bool = False


class Modify(_Action, tag="modify"):
    """Replace one order."""

    oid: Natural | CloidText
    order: OrderItem
    a: bool = False


class ScheduleCancel(_Action, tag="scheduleCancel"):
    """Cancel everything at a time, or never."""

    time: Natural | None = None


class UpdateLeverage(_Action, tag="updateLeverage"):
    """Choose leverage and margin mode of a coin."""

    asset: Natural
    isCross: bool
    leverage: int


class UpdateIsolatedMargin(_Action, tag="updateIsolatedMargin"):
    """Move margin of an isolated position, signed micro-USD."""

    asset: Natural
    isBuy: bool
    ntli: int


class TopUpIsolatedOnlyMargin(_Action, tag="topUpIsolatedOnlyMargin"):
    """Add margin to an isolated position until it has a leverage."""

    asset: Natural
    leverage: DecimalText


class CreateSubAccount(_Action, tag="createSubAccount"):
    """Open an account that the signer's keys act for."""

    name: Text


class SubAccountTransfer(_Action, tag="subAccountTransfer"):
    """Move micro-USD between the perp wallets of an account and its sub-account."""

    subAccountUser: AddressText
    isDeposit: bool
    usd: Natural


class SubAccountSpotTransfer(_Action, tag="subAccountSpotTransfer"):
    """Move a token between their spot wallets."""

    subAccountUser: AddressText
    isDeposit: bool
    token: Text
    amount: DecimalText


class VaultTransfer(_Action, tag="vaultTransfer"):
    """Pay into a vault, or out of it."""

    vaultAddress: AddressText
    isDeposit: bool
    usd: Natural


class Twap(_Item):
    """An order in slices: asset, is buy, size, reduce-only, minutes, at random times."""

    a: Natural
    b: bool
    s: DecimalText
    r: bool
    m: Natural
    t: bool


class TwapOrder(_Action, tag="twapOrder"):
    """Begin one."""

    twap: Twap


class TwapCancel(_Action, tag="twapCancel"):
    """End one."""

    a: Natural
    t: Natural


class SetReferrer(_Action, tag="setReferrer"):
    """Name who brought the user."""

    code: Text


class Noop(_Action, tag="noop"):
    """Use a nonce up."""


class ReserveRequestWeight(_Action, tag="reserveRequestWeight"):
    """Buy a larger budget of actions."""

    weight: Natural


class AgentSetAbstraction(_Action, tag="agentSetAbstraction"):
    """Choose the kind of account, by an agent."""

    abstraction: Literal["u", "p", "i"]


class AgentEnableDexAbstraction(_Action, tag="agentEnableDexAbstraction"):
    """Let orders use margin of other dexes, by an agent."""


L1Action = (
    Order
    | Cancel
    | CancelByCloid
    | BatchModify
    | Modify
    | ScheduleCancel
    | UpdateLeverage
    | UpdateIsolatedMargin
    | TopUpIsolatedOnlyMargin
    | CreateSubAccount
    | SubAccountTransfer
    | SubAccountSpotTransfer
    | VaultTransfer
    | TwapOrder
    | TwapCancel
    | SetReferrer
    | Noop
    | ReserveRequestWeight
    | AgentSetAbstraction
    | AgentEnableDexAbstraction
)

OTHER_L1: Final = frozenset(
    {
        "agentSendAsset",
        "borrowLend",
        "claimRewards",
        "createVault",
        "CSignerAction",
        "CValidatorAction",
        "evmUserModify",
        "gossipPriorityBid",
        "multiSig",
        "perpDeploy",
        "registerReferrer",
        "setDisplayName",
        "spotDeploy",
        "userOutcome",
        "vaultDistribute",
        "vaultModify",
    }
)
"""Actions of the venue beyond perpetuals: told apart from nonsense, then refused."""

IGNORES_VAULT: Final = (
    SetReferrer,
    CreateSubAccount,
    SubAccountTransfer,
    SubAccountSpotTransfer,
    VaultTransfer,
)
"""Actions that act for the signer itself, whatever `vaultAddress` says."""

_action = msgspec.json.Decoder(L1Action)
_pack = msgspec.msgpack.Encoder().encode


class ActionType(_Item):
    """The one key that every action has."""

    type: Text


_type_of = msgspec.json.Decoder(ActionType)


def type_of(action: msgspec.Raw) -> str:
    """Name of an action.

    Raises:
        msgspec.ValidationError: it has none, or is no object.
    """
    return _type_of.decode(action).type


def is_user_signed(name: str) -> bool:
    """Whether a wallet signs the action in readable form."""
    return name in USER_SIGNED


def decode_action(action: msgspec.Raw) -> L1Action:
    """Read an action into its type, in canonical form.

    Raises:
        msgspec.ValidationError: it has another shape.
    """
    value: L1Action = _action.decode(action)
    canonical(value)
    return value


def packed(action: L1Action) -> bytes:
    """The bytes that the venue hashes."""
    return _pack(action)


def packed_as_sent(action: msgspec.Raw) -> bytes:
    """The bytes that a client hashed which kept its own order and notation."""
    return _pack(msgspec.json.decode(action))


def batch_of(action: L1Action) -> int:
    """How many requests an action counts for."""
    match action:
        case Order():
            return len(action.orders)
        case Cancel() | CancelByCloid():
            return len(action.cancels)
        case BatchModify():
            return len(action.modifies)
    return 1


def canonical(action: L1Action) -> None:
    """Write decimals, client ids and addresses in the one form that is hashed, in place."""
    match action:
        case Order():
            for item in action.orders:
                _order(item)
            if action.builder is not None:
                action.builder.b = normal_address(action.builder.b)
        case BatchModify():
            for change in action.modifies:
                _modify(change)
        case Modify():
            _modify(action)
        case CancelByCloid():
            for cancel in action.cancels:
                cancel.cloid = cancel.cloid.lower()
        case SubAccountTransfer() | SubAccountSpotTransfer():
            action.subAccountUser = normal_address(action.subAccountUser)
        case VaultTransfer():
            action.vaultAddress = normal_address(action.vaultAddress)
        case TwapOrder():
            action.twap.s = _plain(action.twap.s)
        case _:
            pass


def _modify(change: ModifyItem | Modify) -> None:
    if isinstance(change.oid, str):
        change.oid = change.oid.lower()
    _order(change.order)


def _order(item: OrderItem) -> None:
    item.p, item.s = _plain(item.p), _plain(item.s)
    if item.c is not None:
        item.c = item.c.lower()
    if item.t.trigger is not None:
        item.t.trigger.triggerPx = _plain(item.t.trigger.triggerPx)


def _plain(text: str) -> str:
    """Write a decimal without zeros that say nothing."""
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if text[0] == "0" and len(text) > 1 and text[1] != ".":
        text = text.lstrip("0")
        text = f"0{text}" if not text or text[0] == "." else text
    return text


class UserAction(msgspec.Struct, kw_only=True):
    """Fields of actions that a wallet signs in readable form; each type uses some of them."""

    type: Text
    hyperliquidChain: Literal["Mainnet", "Testnet"]
    signatureChainId: Text
    nonce: Natural | None = None
    time: Natural | None = None
    destination: Text = ""
    amount: Text = ""
    token: Text = ""
    toPerp: bool = False
    sourceDex: Text = ""
    destinationDex: Text = ""
    fromSubAccount: Text = ""
    agentAddress: Text = ""
    agentName: Text | None = None
    maxFeeRate: Text = ""
    builder: Text = ""
    abstraction: Text = ""
    user: Text = ""
    enabled: bool = False


_user_action = msgspec.json.Decoder(UserAction)


def decode_user_action(action: msgspec.Raw) -> tuple[UserAction, dict[str, Any]]:
    """Read an action signed in readable form, as fields and as sent.

    Raises:
        msgspec.ValidationError: it has another shape.
    """
    return _user_action.decode(action), msgspec.json.decode(action)
