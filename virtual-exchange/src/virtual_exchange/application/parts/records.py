"""Parts as bytes, and as one run again."""

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

import msgspec
import numpy as np

from suite.bars import I64
from suite.checks import check
from suite.instrument import Instrument
from virtual_exchange.application.parts.plan import FORM, RunPlan
from virtual_exchange.application.report.manifest import run_manifest
from virtual_exchange.application.world import DEFAULT_NAME
from virtual_exchange.domain.masking import TrueInstrument
from virtual_exchange.domain.record import AccountRecord, MarketRecord, RunRecord


class TraderPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the run of one trader has left behind.

    Attributes:
        form: in which it is written.
        key: see `plan.key_of`.
        account: of the trader.
        equity_time_ms: of its samples.
        finished: its world came to its end.
    """

    form: str
    key: str
    account: AccountRecord
    equity_time_ms: I64
    finished: bool


class MarketPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all traders of a run have alike; the other fields are those of `RunRecord`.

    Attributes:
        scales: of each market, what a `TrueInstrument` has more than another, in order.
    """

    form: str
    from_ms: int
    to_ms: int
    interval_ms: int
    markets: tuple[MarketRecord, ...]
    scales: tuple[tuple[str, str] | None, ...]
    rules: dict[str, Any]
    manifest: dict[str, Any]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value, np.int64).tobytes()
    raise TypeError(f"a record holds a {type(value).__name__}, which a part has no form for")


def _array(_kind: Any, value: Any) -> Any:
    return np.frombuffer(value, np.int64)


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_plain)
_TRADER: Final = msgspec.msgpack.Decoder(TraderPart, dec_hook=_array)
_MARKET: Final = msgspec.msgpack.Decoder(MarketPart, dec_hook=_array)


def trader_parts(plan: RunPlan, record: RunRecord, names: Iterable[str]) -> dict[str, bytes]:
    """Write the part of each trader of a run.

    Args:
        plan: what was run.
        record: of the traders.
        names: their ids.

    Returns:
        The parts by trader id.
    """
    accounts = {account.account_id: account for account in record.accounts}
    return {
        trader.trader_id: _ENCODER.encode(
            TraderPart(
                form=FORM,
                key=trader.key,
                account=accounts[trader.account_id],
                equity_time_ms=record.equity_time_ms,
                finished=record.finished,
            )
        )
        for trader in plan.of(names)
    }


def market_part(record: RunRecord) -> bytes:
    """Write what all traders have alike."""
    return _ENCODER.encode(
        MarketPart(
            form=FORM,
            from_ms=record.from_ms,
            to_ms=record.to_ms,
            interval_ms=record.interval_ms,
            markets=tuple(map(_without_scale, record.markets)),
            scales=tuple(map(_scale, record.markets)),
            rules=record.rules,
            manifest=record.manifest,
        )
    )


def read_trader(data: bytes, key: str) -> TraderPart | None:
    """Read a part; None for one that is not whole, or of something else."""
    try:
        part = _TRADER.decode(data)
    except (msgspec.MsgspecError, ValueError):
        return None
    return part if part.form == FORM and part.key == key and part.finished else None


def read_market(data: bytes) -> MarketPart | None:
    """Read what all traders have alike; None where it is not whole."""
    try:
        part = _MARKET.decode(data)
    except (msgspec.MsgspecError, ValueError):
        return None
    return part if part.form == FORM else None


def merged(plan: RunPlan, market: MarketPart, parts: Iterable[TraderPart]) -> RunRecord:
    """Make one run of parts, as if all traders had run in one world.

    Args:
        plan: what was run.
        market: what they have alike.
        parts: of those traders that came to their end; they stand in the order of the plan.

    Raises:
        InvariantViolated: the parts are not of one run.
    """
    by_key = {part.key: part for part in parts}
    found = [by_key[trader.key] for trader in plan.traders if trader.key in by_key]
    check(len(found) == len(by_key) > 0, "the parts are those of the plan")
    times = found[0].equity_time_ms
    check(
        all(np.array_equal(times, part.equity_time_ms) for part in found),
        "all parts are sampled at the same times",
    )
    record = RunRecord(
        run_id=DEFAULT_NAME,
        from_ms=market.from_ms,
        to_ms=market.to_ms,
        interval_ms=market.interval_ms,
        finished=True,
        markets=list(map(_with_scale, market.markets, market.scales)),
        accounts=[part.account for part in found],
        equity_time_ms=times,
        rules=market.rules,
    )
    return replace(record, manifest=market.manifest | run_manifest(plan.world, record))


def _scale(market: MarketRecord) -> tuple[str, str] | None:
    of = market.instrument
    return (str(of.price_scale), str(of.size_scale)) if isinstance(of, TrueInstrument) else None


def _without_scale(market: MarketRecord) -> MarketRecord:
    of = market.instrument
    plain = Instrument(coin=of.coin, sz_decimals=of.sz_decimals, tiers=of.tiers)
    return replace(market, instrument=plain)


def _with_scale(market: MarketRecord, scale: tuple[str, str] | None) -> MarketRecord:
    if scale is None:
        return market
    of, (price, size) = market.instrument, map(Fraction, scale)
    true = TrueInstrument(
        coin=of.coin, sz_decimals=of.sz_decimals, tiers=of.tiers, price_scale=price, size_scale=size
    )
    return replace(market, instrument=true)
