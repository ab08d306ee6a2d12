"""Reads of money that came and went: funding, transfers, liquidations."""

from typing import Any, Final

from perp_engine.events import FundingPaid, Liquidated
from suite.enums import MarginMode
from suite.fixed import RATE_DECIMALS, format_fixed
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.info.liquidations import fills_of
from virtual_exchange.application.info.request import InfoBody, in_range, stretch
from virtual_exchange.application.info.values import made_hash, usd
from virtual_exchange.application.world import World
from virtual_exchange.domain.record import LedgerUpdate

_MOST: Final = 500
_TYPES: Final = {MarginMode.CROSS: "Cross", MarginMode.ISOLATED: "Isolated"}


class LedgerReads:
    """The ledgers of one world's accounts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._instruments = world.market.instruments

    def funding(self, request: InfoBody, account: int | None) -> list[dict[str, Any]]:
        """Funding paid and received in a range of time, oldest first."""
        if account is None:
            return []
        payments = self._world.books[account].funding
        return [
            {
                "time": paid.time_ms,
                "hash": made_hash("funding", paid.time_ms, paid.account, paid.symbol),
                "delta": {"type": "funding", **self._payment(paid)},
            }
            for paid in in_range(payments, request, _moment, most=_MOST)
        ]

    def payments(self, book: AccountBook, first: int, end: int) -> list[dict[str, Any]]:
        """Funding of an account, from one payment to before another, as streams tell it."""
        return [{"time": paid.time_ms, **self._payment(paid)} for paid in book.funding[first:end]]

    def _payment(self, paid: FundingPaid) -> dict[str, Any]:
        instrument = self._instruments[paid.symbol]
        return {
            "coin": instrument.coin,
            "usdc": usd(paid.usd),
            "szi": instrument.format_size(paid.size),
            "fundingRate": format_fixed(paid.rate, RATE_DECIMALS),
            "nSamples": None,
        }

    def others(self, request: InfoBody, account: int | None) -> list[dict[str, Any]]:
        """All else that moved money but trading, in a range of time, oldest first."""
        if account is None:
            return []
        book = self._world.books[account]
        transfers = stretch(book.ledger, request, _moment, most=_MOST)
        liquidations = stretch(book.liquidations, request, _moment, most=_MOST)
        return self._merged(book, transfers, liquidations)[:_MOST]

    def latest(self, book: AccountBook) -> list[dict[str, Any]]:
        """The latest transfers and liquidations of an account, oldest first."""
        lengths = (len(book.ledger), len(book.liquidations))
        transfers, liquidations = ((max(0, length - _MOST), length) for length in lengths)
        return self._merged(book, transfers, liquidations)[-_MOST:]

    def _merged(
        self, book: AccountBook, transfers: tuple[int, int], liquidations: tuple[int, int]
    ) -> list[dict[str, Any]]:
        rows = self.transfers(book, *transfers) + self.liquidations(book, *liquidations)
        return sorted(rows, key=_time_of)

    def transfers(self, book: AccountBook, first: int, end: int) -> list[dict[str, Any]]:
        """Entries of an account's ledger, from one to before another."""
        return [
            {
                "time": update.time_ms,
                "hash": made_hash("ledger", book.account.address, number),
                "delta": {"type": update.kind, **_details(update)},
            }
            for number, update in enumerate(book.ledger[first:end], first)
        ]

    def liquidations(self, book: AccountBook, first: int, end: int) -> list[dict[str, Any]]:
        """Liquidations of an account, from one to before another, with what they sold."""
        return [self._liquidation(book, number) for number in range(first, end)]

    def _liquidation(self, book: AccountBook, number: int) -> dict[str, Any]:
        event, fills = book.liquidations[number], fills_of(book, number)
        return {
            "time": event.time_ms,
            "hash": made_hash("liquidation", book.account.address, number),
            "delta": {
                "type": "liquidation",
                "liquidatedNtlPos": usd(sum(fill.price * fill.size for fill in fills)),
                "accountValue": usd(event.equity_usd),
                "leverageType": _TYPES[event.mode],
                "liquidatedPositions": [
                    {
                        "coin": self._instruments[fill.symbol].coin,
                        "szi": self._instruments[fill.symbol].format_size(-fill.side * fill.size),
                    }
                    for fill in fills
                ],
            },
        }


def _moment(entry: FundingPaid | LedgerUpdate | Liquidated) -> int:
    return entry.time_ms


def _time_of(row: dict[str, Any]) -> int:
    time_ms: int = row["time"]
    return time_ms


def _details(update: LedgerUpdate) -> dict[str, Any]:
    amount, ends = usd(abs(update.usd)), {"user": update.user, "destination": update.destination}
    match update.kind:
        case "withdraw":
            return {"usdc": amount, "nonce": update.time_ms, "fee": usd(update.fee_usd)}
        case "accountClassTransfer":
            return {"usdc": amount, "toPerp": update.usd > 0}
        case "internalTransfer":
            return {"usdc": amount, **ends, "fee": usd(update.fee_usd)}
        case "subAccountTransfer":
            return {"usdc": amount, **ends}
        case "send":
            dex = "" if update.perp_usd else "spot"
            return {
                **ends,
                "sourceDex": dex,
                "destinationDex": dex,
                "token": "USDC",
                "amount": amount,
                "usdcValue": amount,
                "fee": usd(update.fee_usd),
                "nativeTokenFee": "0.0",
                "nonce": update.time_ms,
                "feeToken": "USDC",
            }
        case _:
            return {"usdc": amount}
