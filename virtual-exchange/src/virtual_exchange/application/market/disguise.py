"""The edges of a masked market: traders that go in, the record of what happened that comes out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import msgspec

from suite.contracts.guards import GuardSummary, ModelUse
from suite.contracts.trader import TraderSpec
from suite.instrument import coin_of
from virtual_exchange.domain.masking import Mask
from virtual_exchange.domain.record import AccountRecord, MarketRecord, OrderRecord, RunRecord

_KEPT = ("engine_version", "engine_text", "strategies", "decisions_sha256", "late_bars")


class _Told(Protocol):
    """Something that happened to a coin at a time."""

    @property
    def time_ms(self) -> int: ...

    @property
    def symbol(self) -> int: ...


T = TypeVar("T", bound=_Told)


def masked_traders(traders: tuple[TraderSpec, ...], mask: Mask | None) -> tuple[TraderSpec, ...]:
    """Traders as they are told in a masked world: coins by the names that it shows."""
    if mask is None:
        return traders
    return tuple(
        msgspec.structs.replace(
            trader,
            symbols=tuple(mask.names[coin_of(name)] for name in trader.symbols),
            strategy=msgspec.structs.replace(
                trader.strategy, params=renamed(trader.strategy.params, mask.names)
            ),
        )
        for trader in traders
    )


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Replace every text in a strategy's parameters that is the name of a coin."""
    if isinstance(value, dict):
        return {key: renamed(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def unmasked(record: RunRecord, mask: Mask) -> RunRecord:
    """Tell a run by the recorded names, prices and dates.

    Money is what it was. Where a unit is another price than the recorded one, prices and sizes are
    written as the recorded coin's, rounded to its units.
    """
    shown = sorted(range(len(mask.coins)), key=mask.true_symbol)
    return replace(
        record,
        from_ms=mask.true_ms(record.from_ms),
        to_ms=mask.true_ms(record.to_ms),
        markets=[_market(record.markets[symbol], mask, symbol) for symbol in shown],
        accounts=[_account(account, mask) for account in record.accounts],
        equity_time_ms=record.equity_time_ms - mask.shift_ms,
    )


def concealed(record: RunRecord, mask: Mask) -> RunRecord:
    """Leave out of a masked run's record what would tell where its market came from."""
    manifest = {name: record.manifest[name] for name in _KEPT if name in record.manifest}
    accounts = [
        replace(account, strategy=renamed(account.strategy, mask.names))
        for account in record.accounts
    ]
    return replace(record, accounts=accounts, manifest=renamed(manifest, mask.names))


def _market(market: MarketRecord, mask: Mask, symbol: int) -> MarketRecord:
    coin = mask.coins[symbol]
    return replace(
        market,
        instrument=coin.unmasked(),
        source=coin.source,
        open_time_ms=market.open_time_ms - mask.shift_ms,
    )


def _account(account: AccountRecord, mask: Mask) -> AccountRecord:
    return replace(
        account,
        fills=_all(account.fills, mask),
        funding=_all(account.funding, mask),
        liquidations=_all(account.liquidations, mask),
        insurance=_all(account.insurance, mask),
        orders=[_order(order, mask) for order in account.orders],
        guards=None if account.guards is None else _guards(account.guards, mask),
    )


def _guards(guards: GuardSummary, mask: Mask) -> GuardSummary:
    """Times and coins as recorded; texts stay as the trader saw its world."""
    coins = {shown: true for true, shown in mask.names.items()}

    def at(time_ms: int | None) -> int | None:
        return None if time_ms is None else mask.true_ms(time_ms)

    replaced = msgspec.structs.replace
    return replaced(
        guards,
        first_fault_ms=at(guards.first_fault_ms),
        closed=tuple(
            replaced(
                one,
                coin=coins.get(one.coin, one.coin),
                opened_ms=at(one.opened_ms),
                closed_ms=at(one.closed_ms),
            )
            for one in guards.closed
        ),
        stood=tuple(
            replaced(one, from_ms=at(one.from_ms), until_ms=at(one.until_ms))
            for one in guards.stood
        ),
        models=None if guards.models is None else _models(guards.models, mask),
    )


def _models(use: ModelUse, mask: Mask) -> ModelUse:
    days = tuple(
        msgspec.structs.replace(one, from_ms=mask.true_ms(one.from_ms)) for one in use.days
    )
    return msgspec.structs.replace(use, days=days)


def _all(told: list[T], mask: Mask) -> list[T]:
    return [_true(one, mask) for one in told]


def _true(one: Any, mask: Mask) -> Any:
    return replace(one, time_ms=mask.true_ms(one.time_ms), symbol=mask.true_symbol(one.symbol))


def _order(order: OrderRecord, mask: Mask) -> OrderRecord:
    closed = None if order.closed_ms is None else mask.true_ms(order.closed_ms)
    return replace(
        order,
        symbol=mask.true_symbol(order.symbol),
        placed_ms=mask.true_ms(order.placed_ms),
        closed_ms=closed,
    )
