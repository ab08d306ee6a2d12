"""What a backtest in parts consists of, and by what the part of a trader is known again."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from suite.contracts.trader import TraderSpec, without_secrets
from suite.contracts.world import WorldRequest
from virtual_exchange.domain.market import Market

FORM: Final = "autocryptotrader-parts/1"
"""Changes when parts are written otherwise: those of before are of no use then."""

_encode = msgspec.json.Encoder(order="sorted").encode


class PlannedTrader(msgspec.Struct, frozen=True, kw_only=True):
    """One trader of the run.

    Attributes:
        key: of what its part follows from; equal keys, equal parts.
        slow: its strategy takes long to decide, and what it decides is kept at once.
        turns: how often it decides of itself.
    """

    trader_id: str
    account_id: str
    key: str
    slow: bool
    turns: int


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest of all traders of a file.

    Attributes:
        world: of all of them; a part has the same with fewer participants, since an order's id
            tells the place of its account among all.
        traders_file: where they stand.
        data: root of the kline store.
        data_sha256: content of the market.
        from_ms, to_ms: the range, as the world has it.
        market_key: of what all traders have alike.
    """

    world: WorldRequest
    traders_file: str
    data: str
    data_sha256: str
    from_ms: int
    to_ms: int
    market_key: str
    traders: tuple[PlannedTrader, ...]

    def of(self, names: Iterable[str]) -> tuple[PlannedTrader, ...]:
        """Find traders by their ids.

        Raises:
            KeyError: there is no such trader.
        """
        by_id = {trader.trader_id: trader for trader in self.traders}
        return tuple(by_id[name] for name in names)

    def world_of(self, traders: Iterable[PlannedTrader]) -> WorldRequest:
        """Ask for the world of some of the traders: the others are there and never come."""
        participants = tuple(trader.account_id for trader in traders)
        return msgspec.structs.replace(self.world, participants=participants)


def key_of(
    trader: TraderSpec, world: WorldRequest, *, data_sha256: str, programs: Mapping[str, str]
) -> str:
    """Hash what the part of a trader follows from.

    The other traders are not in it, but for how many stand before it: accounts never meet.

    Args:
        trader: as it is configured; secrets open doors and change nothing behind them.
        world: of all traders.
        data_sha256: of the market.
        programs: versions of what runs it, by name.
    """
    ids = [account.id for account in world.accounts]
    index = ids.index(trader.account_id)
    alone = msgspec.structs.replace(world, accounts=(world.accounts[index],), participants=None)
    of = {
        "form": FORM,
        "world": alone,
        "index": index,
        "trader": without_secrets(msgspec.to_builtins(trader)),
        "data": data_sha256,
        "programs": programs,
    }
    return hashlib.sha256(_encode(of)).hexdigest()


def market_key_of(world: WorldRequest, *, data_sha256: str, programs: Mapping[str, str]) -> str:
    """Hash what the parts of all traders have alike; the arguments are those of `key_of`."""
    nobody = msgspec.structs.replace(world, accounts=world.accounts[:1], participants=None)
    fields = {**msgspec.to_builtins(nobody), "accounts": None}
    of = {"form": FORM, "world": fields, "data": data_sha256, "programs": programs}
    return hashlib.sha256(_encode(of)).hexdigest()


def content_of(market: Market) -> str:
    """Hash all of a market that a world can show."""
    digest = hashlib.sha256()

    def put(value: Any) -> None:
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype} {value.shape}".encode())
            digest.update(np.ascontiguousarray(value).data)
        else:
            digest.update(repr(value).encode() + b"\0")

    tape = market.tape
    put((market.instruments, market.sources, market.synthetic, market.mask))
    put((tape.start_ms, tape.interval_ms))
    put(tape.bars)
    for funding in tape.funding:
        put(funding)
    if tape.detail is not None:
        put(tape.detail.rows)
        put(tape.detail.first)
    for bars in market.history:
        for name in ("open_time_ms", "open", "high", "low", "close", "volume"):
            put(getattr(bars, name))
    for times, units in market.open_interest:
        put(times)
        put(units)
    return digest.hexdigest()
