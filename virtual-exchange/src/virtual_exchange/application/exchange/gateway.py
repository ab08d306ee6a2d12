"""`POST /exchange`: from the bytes of a request to the venue's answer.

The order is the venue's: shape of the body, signer, the account it acts for, nonce, expiry, and
only then the rules of the action. A signature over other bytes recovers to a stranger, so of the
readings that a client may have signed (both networks, the venue's own notation and the client's)
the one counts whose signer is known here. Nobody becomes known by signing. A gateway of one network
has that network's reading alone, as the live venue does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from suite.addresses import normal_address
from suite.bodies import decode_first
from suite.contracts import hyperliquid_exchange as wire
from suite.contracts.hyperliquid_signing import Source, l1_digest, recover, user_digest
from suite.errors import RejectReason
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.exchange.answers import DONE, Answer, data, err
from virtual_exchange.application.exchange.identity import Identity
from virtual_exchange.application.exchange.money_actions import MoneyActions
from virtual_exchange.application.exchange.texts import TEXTS
from virtual_exchange.application.exchange.trade_actions import TradeActions
from virtual_exchange.application.exchange.trading import Trading
from virtual_exchange.application.exchange.twap_actions import TwapActions
from virtual_exchange.application.latency_queue import SENT, Delivery, LatencyQueue, answered
from virtual_exchange.application.limits import ActionLimits
from virtual_exchange.application.world import World
from virtual_exchange.domain.accounts import Account

_KEYS: Final = tuple(
    f'"{name}"'.encode()
    for name in ("action", "nonce", "signature", "vaultAddress", "expiresAfter")
)
Signatures = Literal["any", "mainnet", "testnet"]
"""Whose signatures are let in: those that only this network would take, or any that can be read."""
_SOURCES: Final[dict[Signatures, tuple[Source, ...]]] = {
    "any": ("a", "b"),
    "mainnet": ("a",),
    "testnet": ("b",),
}
_CHAINS: Final[dict[Signatures, str]] = {"mainnet": "Mainnet", "testnet": "Testnet"}
BATCH_MAX: Final = 200
"""Orders, cancels or modifications in one action."""
_NONCE_LIMIT: Final = 1 << 64
_envelope = msgspec.json.Decoder(wire.Envelope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strictness:
    """What is refused although it could be carried out.

    Attributes:
        limits: what goes beyond the actions that an account may send.
        signatures: network that has to be signed for, in the venue's own notation.
    """

    limits: bool = False
    signatures: Signatures = "any"


class Malformed(Exception):
    """A body that is no request of the venue.

    Attributes:
        is_json: it has another shape; otherwise it is no JSON at all.
    """

    def __init__(self, text: str, *, is_json: bool) -> None:
        super().__init__(text)
        self.is_json = is_json


class _Refused(Exception):
    """The action as a whole is refused with a text."""


class Gateway:
    """The native gateway of one world.

    Args:
        world: acted on.
        trading: carries orders out.
        identity: who may act.
        latency_queue: the way of orders to the venue.
        limits: how many actions each account has sent, and may send.
        strictness: what the gateway refuses of what could be understood.
        touch: called with the account of every action that was let in.
        warn: told in key-values of what would fail on the live venue.

    Attributes:
        note: called once it is known who has signed, before anything changes.
    """

    def __init__(
        self,
        world: World,
        *,
        trading: Trading,
        identity: Identity,
        latency_queue: LatencyQueue,
        limits: ActionLimits,
        strictness: Strictness,
        touch: Callable[[int], None],
        warn: Callable[..., object],
    ) -> None:
        self._world = world
        self._identity = identity
        trade, twaps = TradeActions(world, trading, identity), TwapActions(world, trading)
        self._money = money = MoneyActions(world, identity)
        self._trades: dict[type, Callable[[AccountBook, Any], Answer]] = {
            wire.Order: trade.place,
            wire.Cancel: trade.cancel,
            wire.CancelByCloid: trade.cancel,
            wire.Modify: trade.modify,
            wire.BatchModify: trade.modify_batch,
            wire.ScheduleCancel: trade.schedule,
            wire.UpdateLeverage: trade.leverage,
            wire.UpdateIsolatedMargin: trade.margin,
            wire.TwapOrder: twaps.begin,
            wire.TwapCancel: twaps.end,
        }
        self._others: dict[type, Callable[[Account, Any], Answer]] = {
            wire.CreateSubAccount: money.create_sub_account,
            wire.SubAccountTransfer: money.sub_account_transfer,
            wire.SubAccountSpotTransfer: money.sub_account_spot,
            wire.VaultTransfer: money.vault_transfer,
            wire.SetReferrer: money.set_referrer,
            wire.Noop: lambda _account, _action: DONE,
        }
        self._latency_queue = latency_queue
        self._limits = limits
        self._enforce_limits = strictness.limits
        self._touch = touch
        self._warn = warn
        self.note: Callable[[], None] = lambda: None
        self._signatures = strictness.signatures
        self._sources = _SOURCES[strictness.signatures]

    def post(self, body: bytes) -> Delivery[Answer]:
        """Carry out a signed action, or send it on its way and say when it arrives.

        Raises:
            Malformed: the body is no request.
        """
        envelope = _read(body)
        try:
            answer = self._act(envelope)
        except _Refused as refused:
            answer = err(str(refused))
        return answer if isinstance(answer, Delivery) else answered(answer)

    def _act(self, envelope: wire.Envelope) -> Answer | Delivery[Answer]:
        try:
            name = wire.type_of(envelope.action)
            if wire.is_user_signed(name):
                return self._user_signed(envelope)
            action = None if name in wire.OTHER_L1 else wire.decode_action(envelope.action)
        except (msgspec.ValidationError, ValueError, RecursionError) as error:
            raise Malformed(str(error), is_json=True) from None
        signer, principal = self._signer(envelope, action)
        account = self._account(envelope, action, principal)
        self._admit(envelope, signer)
        if action is None:
            return err(f"{name} is not simulated.")
        self._count(account.index, action)
        return self._l1(principal, account, action)

    # who

    def _signer(self, envelope: wire.Envelope, action: wire.L1Action | None) -> tuple[str, Account]:
        """Find the known address that signed, and the account it acts for."""
        signers: list[str] = []
        for packed, notation in self._readings(envelope, action):
            for source in self._sources:
                signer = self._recover(envelope, packed, source)
                principal = self._identity.principal(signer)
                if principal is not None:
                    if source != self._sources[0]:
                        self._sources = self._sources[::-1]
                    if notation != "canonical":
                        self._warn("would_fail_live", reason="hashed in another form", user=signer)
                    return signer, principal
                signers.append(signer)
        self._warn("unknown_signer", recovered=signers)
        raise _Refused(f"User or API Wallet {signers[0]} does not exist.")

    def _readings(
        self, envelope: wire.Envelope, action: wire.L1Action | None
    ) -> Iterator[tuple[bytes, str]]:
        """What the client may have hashed: the venue's own form first, and alone where strict."""
        canonical = b"" if action is None else _written(wire.packed, action)
        if canonical:
            yield canonical, "canonical"
            if self._signatures != "any":
                return
        as_sent = _written(wire.packed_as_sent, envelope.action)
        if as_sent != canonical:
            yield as_sent, "as sent" if canonical else "canonical"

    def _recover(self, envelope: wire.Envelope, packed: bytes, source: Source) -> str:
        vault = None
        if envelope.vaultAddress is not None:
            vault = bytes.fromhex(normal_address(envelope.vaultAddress)[2:])
        digest = l1_digest(
            packed, envelope.nonce, source, vault=vault, expires_after=envelope.expiresAfter
        )
        return _recovered(digest, envelope.signature)

    def _account(
        self, envelope: wire.Envelope, action: wire.L1Action | None, principal: Account
    ) -> Account:
        """The account that is acted for."""
        if envelope.vaultAddress is None or isinstance(action, wire.IGNORES_VAULT):
            return principal
        address = normal_address(envelope.vaultAddress)
        account = self._world.by_address.get(address)
        if account is None or account.master != principal.index:
            raise _Refused(f"Vault not registered: {address}")
        return account

    def _admit(self, envelope: wire.Envelope, signer: str) -> None:
        """Use the nonce up, then look at the expiry: an expired action has used its nonce."""
        self.note()
        text = self._identity.use_nonce(signer, envelope.nonce)
        if text is not None:
            raise _Refused(text)
        if envelope.expiresAfter is not None and envelope.expiresAfter < self._identity.now_ms:
            raise _Refused("Action already expired")

    def _count(self, account: int, action: wire.L1Action) -> None:
        """Take the action out of the account's budget, where budgets are enforced."""
        batch = wire.batch_of(action)
        if batch > BATCH_MAX:
            raise _Refused(f"Signed action over weight limit of {BATCH_MAX}.")
        if self._enforce_limits:
            cancels = isinstance(action, wire.Cancel | wire.CancelByCloid)
            text = self._limits.refusal(account, cancels=cancels, now_ms=self._identity.now_ms)
            if text is not None:
                raise _Refused(text)
        self._limits.count(account, batch)

    # what

    def _l1(
        self, principal: Account, account: Account, action: wire.L1Action
    ) -> Answer | Delivery[Answer]:
        world = self._world
        book = world.books[account.index]
        book.log_decision(world.now_ms, action)
        self._touch(account.index)
        if (trade := self._trades.get(type(action))) is not None:
            return self._trade(action, lambda: trade(book, action))
        if (other := self._others.get(type(action))) is not None:
            return other(principal, action)
        return err(f"{action.__struct_config__.tag} is not simulated.")

    def _trade(self, action: wire.L1Action, do: Callable[[], Answer]) -> Answer | Delivery[Answer]:
        """Carry out what concerns orders, which may be on its way for a while."""

        def act() -> Answer:
            return err(TEXTS[RejectReason.HALTED]) if self._world.finished else do()

        match action:
            case wire.Order():
                return self._latency_queue.send(act, _sent("order", len(action.orders)))
            case wire.Cancel() | wire.CancelByCloid():
                return self._latency_queue.send(act, _sent("cancel", len(action.cancels)))
            case wire.BatchModify():
                return self._latency_queue.send(act, _sent("order", len(action.modifies)))
            case wire.Modify():
                return self._latency_queue.send(act, DONE)
            case _:
                return act()

    def _user_signed(self, envelope: wire.Envelope) -> Answer:
        """Carry out what a wallet signed in readable form: it acts for the wallet itself."""
        action, fields = wire.decode_user_action(envelope.action)
        if action.hyperliquidChain != _CHAINS.get(self._signatures, action.hyperliquidChain):
            raise _Refused("Mainnet and testnet require different signature.")
        signer = _recovered(user_digest(fields), envelope.signature)
        account = self._world.by_address.get(signer)
        if account is None:
            self._warn("unknown_signer", recovered=[signer])
            raise _Refused(f"Must deposit before performing actions. User: {signer}")
        stamp = action.time if action.nonce is None else action.nonce
        if stamp != envelope.nonce:
            raise _Refused("Nonce mismatch.")
        self._admit(envelope, signer)
        self._world.books[account.index].log_decision(self._world.now_ms, action)
        self._touch(account.index)
        return self._money.user_signed(account, action)


def _sent(kind: str, count: int) -> Answer:
    return data(kind, statuses=[SENT] * count)


def _read(body: bytes) -> wire.Envelope:
    """Read the envelope; what follows the first value is ignored.

    Raises:
        Malformed: it is no JSON, or has another shape.
    """
    if any(body.count(key) > 1 for key in _KEYS):
        _refuse_repeated(body)
    try:
        envelope = decode_first(_envelope, body)
    except msgspec.ValidationError as error:
        raise Malformed(str(error), is_json=True) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("", is_json=False) from None
    if envelope.nonce >= _NONCE_LIMIT or (envelope.expiresAfter or 0) >= _NONCE_LIMIT:
        raise Malformed("Expected `int` below 2^64 - at `$.nonce`", is_json=True)
    return envelope


def _refuse_repeated(body: bytes) -> None:
    """Refuse an envelope that names one of its keys twice: readers would disagree on it."""
    import json

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if "action" in names and len(set(names)) < len(names):
            raise Malformed("duplicate field", is_json=True)
        return dict(pairs)

    try:
        json.JSONDecoder(object_pairs_hook=once).raw_decode(body.decode().lstrip())
    except (ValueError, RecursionError):
        return


def _written(write: Callable[[Any], bytes], action: object) -> bytes:
    """Write the bytes of an action that are signed.

    Raises:
        Malformed: it holds what no client can have signed, such as a number beyond 64 bits.
    """
    try:
        return write(action)
    except (msgspec.MsgspecError, OverflowError, RecursionError, UnicodeEncodeError):
        raise Malformed("the action cannot be written", is_json=True) from None


def _recovered(digest: bytes, signature: wire.Signature) -> str:
    signer = recover(digest, int(signature.r, 16), int(signature.s, 16), signature.v)
    if signer is None:
        raise _Refused("Unable to recover signer.")
    return signer
