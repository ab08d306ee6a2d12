"""Money that was put into an account or taken out, from the entries of the venue's ledger.

Counted is the perpetuals' wallet alone: what goes to the spot wallet, a vault or another dex is out
of it.

Source: venue documentation, `userNonFundingLedgerUpdates`, read 2026-11.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from suite.contracts.hyperliquid_info import LedgerRow
from suite.fixed import parse_decimal

Delta = Mapping[str, object]

ZERO: Final = Decimal(0)

_ELSEWHERE: Final = frozenset(
    {"spotTransfer", "spotGenesis", "cStakingTransfer", "deployGasAuction", "borrowLend"}
)
"""Kinds that move nothing of the perpetuals' wallet."""
_TRADING: Final = "liquidation"
"""What it cost is a loss; the entry does not say it."""


class Movement(NamedTuple):
    """One entry.

    Attributes:
        time_ms: of the venue.
        kind: in the venue's word; empty where nobody says.
        usd: what the perpetuals' wallet gained, fees included; None where that is not known, be it
            that an amount is no number.
    """

    time_ms: int
    kind: str
    usd: Decimal | None

    @property
    def odd(self) -> bool:
        """Money moved in a way that is not understood."""
        return self.usd is None and self.kind not in {"", _TRADING}


class AccountLedger:
    """The ledger of one account; an entry counts once, whoever tells it.

    Args:
        user: address of the account; entries between two say by it which way they went.

    Attributes:
        net_usd: sum of all that is understood.
        complete: it has been read from its beginning on.
        newest_ms: time of the newest entry, 0 before one.
    """

    def __init__(self, user: str) -> None:
        self.net_usd = ZERO
        self.complete = False
        self.newest_ms = 0
        self._user = user.lower()
        self._known: set[tuple[int, str, str, Decimal | None]] = set()

    def add(self, rows: Sequence[LedgerRow]) -> list[Movement]:
        """Take entries in.

        Args:
            rows: in any order.

        Returns:
            Those that were not known, oldest first.
        """
        new = []
        for row in rows:
            movement = Movement(row.time, _kind(row), self._gain(row))
            identity = (row.time, row.hash, movement.kind, movement.usd)
            if movement.kind and identity in self._known:
                continue
            if movement.kind:
                self._known.add(identity)
                self.newest_ms = max(self.newest_ms, row.time)
            self.net_usd += movement.usd or ZERO
            new.append(movement)
        return sorted(new, key=lambda movement: movement.time_ms)

    def _gain(self, row: LedgerRow) -> Decimal | None:
        kind, delta = _kind(row), row.delta
        if kind in _ELSEWHERE:
            return ZERO
        rule = _RULES.get(kind)
        if rule is None or delta is None:
            return None
        try:
            return rule(delta, self._user)
        except ValueError:
            return None


def _kind(row: LedgerRow) -> str:
    if row.delta is None:
        return ""
    kind = row.delta.get("type")
    return kind if isinstance(kind, str) and kind else "without a type"


def _usd(delta: Delta, name: str) -> Decimal:
    """Amount of a field; 0 where it is not there."""
    return parse_decimal(str(delta.get(name, "0")))


def _is(delta: Delta, name: str, user: str) -> bool:
    address = delta.get(name)
    return isinstance(address, str) and bool(user) and address.lower() == user


def _deposit(delta: Delta, _user: str) -> Decimal | None:
    return _usd(delta, "usdc")


def _withdraw(delta: Delta, _user: str) -> Decimal | None:
    return -_usd(delta, "usdc") - _usd(delta, "fee")


def _class_transfer(delta: Delta, _user: str) -> Decimal | None:
    to_perp = delta.get("toPerp")
    if not isinstance(to_perp, bool):
        return None
    return _usd(delta, "usdc") if to_perp else -_usd(delta, "usdc")


def _between_accounts(delta: Delta, user: str) -> Decimal | None:
    """Between the perpetuals' wallets of two accounts; who sends pays the fee."""
    if _is(delta, "user", user):
        return -_usd(delta, "usdc") - _usd(delta, "fee")
    return _usd(delta, "usdc") if _is(delta, "destination", user) else None


def _send(delta: Delta, user: str) -> Decimal | None:
    """Any way between wallets; that of the perpetuals has no name of a dex."""
    sends, receives = _is(delta, "user", user), _is(delta, "destination", user)
    if not (sends or receives):
        return None
    gain = ZERO
    is_usdc = str(delta.get("token")).partition(":")[0] == "USDC"
    if sends and delta.get("sourceDex") == "":
        gain -= _usd(delta, "amount") if is_usdc else ZERO
        gain -= _usd(delta, "fee") if delta.get("feeToken", "USDC") == "USDC" else ZERO
    if receives and is_usdc and delta.get("destinationDex") == "":
        gain += _usd(delta, "amount")
    return gain


def _into_vault(delta: Delta, user: str) -> Decimal | None:
    if _is(delta, "vault", user):
        return _usd(delta, "usdc")
    return -_usd(delta, "usdc") - _usd(delta, "fee")


def _out_of_vault(delta: Delta, user: str) -> Decimal | None:
    return -_usd(delta, "usdc") if _is(delta, "vault", user) else _usd(delta, "usdc")


def _vault_withdraw(delta: Delta, user: str) -> Decimal | None:
    if _is(delta, "vault", user) or "netWithdrawnUsd" not in delta:
        return None
    return _usd(delta, "netWithdrawnUsd")


_RULES: Final[dict[str, Callable[[Delta, str], Decimal | None]]] = {
    "deposit": _deposit,
    "withdraw": _withdraw,
    "accountClassTransfer": _class_transfer,
    "internalTransfer": _between_accounts,
    "subAccountTransfer": _between_accounts,
    "send": _send,
    "vaultCreate": _into_vault,
    "vaultDeposit": _into_vault,
    "vaultDistribution": _out_of_vault,
    "vaultLeaderCommission": _out_of_vault,
    "vaultWithdraw": _vault_withdraw,
}
