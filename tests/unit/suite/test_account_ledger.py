"""What each kind of entry of the venue's ledger moved into the perpetuals' wallet."""

from decimal import Decimal
from typing import Any

import pytest

from suite.account_ledger import AccountLedger
from suite.contracts.hyperliquid_info import LedgerRow

ME, OTHER = "0x" + "aB" * 20, "0x" + "2" * 40
TO_ME = {"user": OTHER, "destination": ME.lower()}
FROM_ME = {"user": ME.lower(), "destination": OTHER}
PERP, SPOT = "", "spot"


def row(kind: object, *, at: int = 5, number: int = 1, **fields: Any) -> LedgerRow:
    return LedgerRow(time=at, hash=f"0x{number}", delta={"type": kind, **fields})


def sent(source: str, target: str, *, token: str = "USDC", **more: object) -> dict[str, object]:
    ways = {"sourceDex": source, "destinationDex": target, "token": token, "amount": "7.0"}
    return {**ways, "fee": "0.5", "feeToken": "USDC", **more}


@pytest.mark.parametrize(
    ("kind", "fields", "gained"),
    [
        ("deposit", {"usdc": "100.5"}, "100.5"),
        ("withdraw", {"usdc": "19.0", "nonce": 7, "fee": "1.0"}, "-20.0"),
        ("accountClassTransfer", {"usdc": "3.0", "toPerp": True}, "3.0"),
        ("accountClassTransfer", {"usdc": "3.0", "toPerp": False}, "-3.0"),
        ("internalTransfer", {"usdc": "5.0", "fee": "1.0", **TO_ME}, "5.0"),
        ("internalTransfer", {"usdc": "5.0", "fee": "1.0", **FROM_ME}, "-6.0"),
        ("subAccountTransfer", {"usdc": "5.0", **TO_ME}, "5.0"),
        ("subAccountTransfer", {"usdc": "5.0", **FROM_ME}, "-5.0"),
        ("send", {**sent(PERP, PERP), **FROM_ME}, "-7.5"),
        ("send", {**sent(PERP, PERP), **TO_ME}, "7.0"),
        ("send", {**sent(SPOT, PERP), "user": ME, "destination": ME}, "7.0"),
        ("send", {**sent(PERP, "xyz", fee="0.0"), "user": ME, "destination": ME}, "-7.0"),
        ("send", {**sent(SPOT, SPOT), **FROM_ME}, "0"),
        ("send", {**sent(PERP, PERP, token="HYPE:0x1", fee="0"), **TO_ME}, "0"),
        ("spotTransfer", {"token": "USDC", "amount": "9.0", **FROM_ME}, "0"),
        ("vaultDeposit", {"vault": OTHER, "usdc": "10.0"}, "-10.0"),
        ("vaultDeposit", {"vault": ME, "usdc": "10.0"}, "10.0"),
        ("vaultCreate", {"vault": OTHER, "usdc": "100.0", "fee": "50.0"}, "-150.0"),
        ("vaultDistribution", {"vault": OTHER, "usdc": "4.0"}, "4.0"),
        ("vaultWithdraw", {"vault": OTHER, "user": ME, "netWithdrawnUsd": "8.0"}, "8.0"),
    ],
)
def test_each_kind_moves_what_the_wallet_gains(
    kind: str, fields: dict[str, Any], gained: str
) -> None:
    ledger = AccountLedger(ME)
    (movement,) = ledger.add((row(kind, **fields),))
    assert (Decimal(gained), False) == (movement.usd, movement.odd)
    assert Decimal(gained) == ledger.net_usd


@pytest.mark.parametrize(
    "told",
    [
        row("rewardsClaim", amount="3.0", token="USDC"),
        row("whatComesNext", usdc="3.0"),
        row(7, usdc="3.0"),
        row("deposit", usdc="much"),
        row("deposit", usdc=None),
        row("accountClassTransfer", usdc="3.0"),
        row("internalTransfer", usdc="5.0", user=OTHER, destination=OTHER),
        row("vaultWithdraw", vault=ME, user=OTHER, netWithdrawnUsd="8.0"),
    ],
)
def test_an_entry_that_is_not_understood_counts_for_nothing_and_says_so(told: LedgerRow) -> None:
    ledger = AccountLedger(ME)
    (movement,) = ledger.add((told,))
    assert (None, True) == (movement.usd, movement.odd)
    assert Decimal(0) == ledger.net_usd


def test_a_loss_by_liquidation_and_what_no_exchange_says_are_nothing_odd() -> None:
    ledger = AccountLedger(ME)
    told = ledger.add((row("liquidation"), LedgerRow(time=9, hash="")))
    assert [(None, False)] * 2 == [(one.usd, one.odd) for one in told]


def test_an_entry_counts_once_and_two_of_one_transaction_count_both() -> None:
    ledger = AccountLedger(ME)
    first, second = row("deposit", usdc="1.0"), row("deposit", usdc="2.0")
    assert [5, 5] == [one.time_ms for one in ledger.add((first, second))]
    assert [] == ledger.add((second, first))
    later = row("deposit", at=3, number=2, usdc="4.0")
    assert [3] == [one.time_ms for one in ledger.add((first, later, later))]
    assert (Decimal(7), 5) == (ledger.net_usd, ledger.newest_ms)
