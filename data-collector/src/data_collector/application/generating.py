"""Generating a synthetic market into a store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data_collector.application.ports import BarWriter
from data_collector.domain.synthetic import GENERATOR, SyntheticCoin, draw_shared, generate
from suite.bars import DAY_MS
from suite.errors import BadRequest, Conflict
from suite.instrument import coin_of
from suite.klines import SYNTHETIC_VENUE, Source, WriteResult

SOURCE = Source(SYNTHETIC_VENUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What determines a synthetic market to the last byte.

    Attributes:
        seed: any non-negative number.
        days: length.
        end_ms: where it ends, exclusive; midnight UTC.
    """

    seed: int
    days: int
    end_ms: int

    @property
    def start_ms(self) -> int:
        """Open time of the first bar."""
        return self.end_ms - self.days * DAY_MS

    def as_dict(self) -> dict[str, int | str]:
        """As it goes into the records of coins."""
        return {"name": GENERATOR, "seed": self.seed, "days": self.days, "end_ms": self.end_ms}


def coins_named(symbols: str) -> list[str]:
    """Read a list of symbols separated by commas.

    Raises:
        BadRequest: one is no symbol, or named twice, or there is none.
    """
    try:
        coins = [coin_of(name) for name in symbols.split(",") if name.strip()]
    except ValueError as error:
        raise BadRequest(str(error)) from None
    if not coins or len(set(coins)) < len(coins):
        raise BadRequest(f"not a list of different symbols: {symbols[:60]!r}")
    return coins


def generate_market(
    store: BarWriter, coins: Sequence[str], recipe: Recipe, *, replace: bool
) -> Iterator[tuple[str, SyntheticCoin, WriteResult]]:
    """Generate coins and store them; the same recipe again changes nothing.

    Args:
        store: where to.
        coins: `BTC`; the order makes no difference.
        recipe: of the market.
        replace: delete synthetic data of another recipe first.

    Raises:
        Conflict: the store holds synthetic data of another recipe; nothing was changed.
        StorageError: the disk refuses.
    """
    others = [coin for coin in coins if _is_another(store, coin, recipe)]
    if others and not replace:
        raise Conflict(
            f"synthetic {', '.join(others)} of another seed or range is stored there; "
            "choose another folder, or --replace it"
        )
    for coin in others:
        store.remove(SOURCE, coin)
    shared = draw_shared(recipe.seed, start_ms=recipe.start_ms, end_ms=recipe.end_ms)
    for coin in coins:
        made = generate(coin, recipe.seed, shared)
        store.write_record(
            SOURCE,
            coin,
            {
                "source_symbol": coin,
                "price_decimals": made.profile.price_decimals,
                "synthetic": True,
                "source": f"synthetic market, generator {GENERATOR}, seed {recipe.seed}",
                "generator": recipe.as_dict(),
            },
        )
        result = store.write_bars(SOURCE, coin, made.bars)
        result += store.write_funding(SOURCE, coin, made.funding_time_ms, made.funding_rate)
        yield coin, made, result


def _is_another(store: BarWriter, coin: str, recipe: Recipe) -> bool:
    record = store.record_at(SOURCE, coin)
    return record is not None and record.get("generator") != recipe.as_dict()
