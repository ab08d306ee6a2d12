"""Random small worlds in which much goes wrong: jumps, gaps, tiers, thin volume, every rule."""

from dataclasses import dataclass
from random import Random

import numpy as np

from perp_engine.rules import BarPath, FeeTier, FillAt, LimitFill, Rules
from perp_engine.tape import NO_BAR, Detail, Tape
from suite.fixed import Rate, Usd
from suite.instrument import Instrument, MarginTier

USD = 10**6
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
INTERVALS_MS = (MINUTE_MS, HOUR_MS, 4 * HOUR_MS, 12 * HOUR_MS, DAY_MS)
NAMES = ("ADA", "BTC", "kPEPE", "SOL", "XRP")
MIDNIGHT_MS = 1_746_403_200_000

Bar = tuple[int, int, int, int, int]


@dataclass(frozen=True)
class Setting:
    """What an engine is built from."""

    instruments: tuple[Instrument, ...]
    tape: Tape
    accounts: int
    rules: Rules


def random_setting(random: Random) -> Setting:
    """A world of two or three coins and up to three accounts."""
    coins = tuple(_coin(random, name) for name in random.sample(NAMES, random.choice((2, 2, 3))))
    rules = _rules(random)
    tape = _tape(random, coins, with_detail=rules.bar_path is BarPath.RECORDED)
    latency = random.choice((1, tape.interval_ms // 2, tape.interval_ms, tape.interval_ms * 5 // 2))
    if random.random() < 0.2:
        rules = _with_latency(rules, latency)
    return Setting(coins, tape, random.choice((1, 2, 2, 3)), rules)


def _with_latency(rules: Rules, latency_ms: int) -> Rules:
    return Rules(
        **{name: getattr(rules, name) for name in Rules.__dataclass_fields__}
        | {"decision_latency_ms": latency_ms}
    )


def _coin(random: Random, name: str) -> Instrument:
    leverage = random.choice((3, 10, 20, 40, 50))
    tiers = [_tier(random, 0, leverage)]
    bound = 0
    while random.random() < 0.6 and len(tiers) < 4 and leverage > 1:
        bound += random.randint(1, 20_000) * USD + random.choice((0, 1, 333_333))
        leverage = max(1, random.choice((leverage // 2, leverage - 1)))
        tiers.append(_tier(random, bound, leverage, above=tiers[-1].maintenance))
    return Instrument(coin=name, sz_decimals=random.choice((0, 1, 2, 4, 5)), tiers=tuple(tiers))


def _tier(random: Random, bound: int, leverage: int, above: int = 0) -> MarginTier:
    """A tier; a maintenance rate of its own never falls, nor exceeds the initial margin."""
    own = 10**9 // (2 * leverage)
    rate = None
    if random.random() < 0.4 or own < above:
        rate = Rate(max(above, random.randint(own // 2, own * 19 // 10)))
    return MarginTier(lower_bound_usd=Usd(bound), max_leverage=leverage, maintenance_rate=rate)


def _rules(random: Random) -> Rules:
    def some(*rates: int) -> Rate:
        return Rate(random.choice(rates))

    return Rules(
        taker_fee=some(0, 450_000, 450_001, 3_000_000),
        maker_fee=some(0, 150_000, -30_001, -500_000),
        fee_tiers=_fee_tiers(random) if random.random() < 0.3 else (),
        half_spread=some(0, 1, 50_000, 2_000_000),
        slippage=some(0, 100_000, 4_000_000),
        impact=some(0, 0, 777_777, 50_000_000),
        participation=some(0, 10_000_000, 100_000_000, 333_333_333, 1_000_000_000),
        funding_rate=some(0, 12_500, -40_000, 999_999),
        min_notional_usd=Usd(random.choice((0, 10 * USD, 10 * USD, 200 * USD))),
        partial_liquidation_usd=Usd(random.choice((500, 3_000, 100_000)) * USD),
        limit_fill=random.choice(list(LimitFill)),
        bar_path=random.choice((*BarPath, BarPath.PESSIMISTIC)),
        fill_at=random.choice((FillAt.OPEN, FillAt.OPEN, FillAt.CLOSE)),
    )


def _fee_tiers(random: Random) -> tuple[FeeTier, ...]:
    bounds = sorted(random.sample(range(1, 60_000), random.choice((1, 2, 3))))
    return tuple(
        FeeTier(
            volume_usd=Usd(bound * USD),
            taker=Rate(500_000 - 100_000 * place),
            maker=Rate(100_000 - 70_000 * place),
        )
        for place, bound in enumerate((0, *bounds))
    )


def _tape(random: Random, coins: tuple[Instrument, ...], *, with_detail: bool) -> Tape:
    interval = random.choice(INTERVALS_MS)
    start = MIDNIGHT_MS + interval * random.randint(0, 5)
    length = random.randint(8, 40)
    rows = [_bars(random, length) for _ in coins]
    bars = np.array(rows, np.int64).transpose(0, 2, 1)
    funding = tuple(_funding(random, start, interval, length) for _ in coins)
    detail = _detail(random, rows) if with_detail else None
    return Tape(start, interval, np.ascontiguousarray(bars), funding, detail)


def _bars(random: Random, length: int) -> list[Bar]:
    price = random.choice((90, 3_000, 99_990, 600_000, 12_345_678))
    calm = random.choice((0.001, 0.005, 0.02))
    busy = max(1, 10_000 * USD // price)
    first = random.randint(1, 5) if random.random() < 0.1 else 0
    last = random.randint(length // 2 + 2, length) if random.random() < 0.3 else length
    bars: list[Bar] = []
    for place in range(length):
        opened = price if random.random() < 0.6 else _moved(random, price, calm)
        close = _moved(random, opened, calm)
        high = max(opened, close, *(_moved(random, opened, calm) for _ in range(2)))
        low = min(opened, close, *(_moved(random, opened, calm) for _ in range(2)))
        volume = random.choice((0, random.randint(0, busy), random.randint(0, busy * 20)))
        is_lost = random.random() < 0.06 and place != first
        if not first <= place < last or is_lost:
            bars.append((0, 0, 0, 0, NO_BAR))
        else:
            bars.append((opened, high, low, close, volume))
            price = close
    return bars


def _moved(random: Random, price: int, calm: float) -> int:
    """A price nearby, at times far away."""
    wide = random.random()
    width = 0.3 if wide < 0.03 else 0.08 if wide < 0.1 else calm
    return max(20, round(price * (1 + random.uniform(-width, width))))


def _funding(random: Random, start: int, interval: int, length: int) -> np.ndarray:
    if random.random() < 0.4:
        return np.zeros((0, 2), np.int64)
    step = random.choice((interval, 3 * interval, interval // 2 + 1, 10 * interval + 7))
    times = range(start + random.choice((0, 0, 1)), start + interval * (length + 1), step)
    table = [(time, random.randint(-10_000_000, 10_000_000)) for time in times]
    return np.array(table, np.int64).reshape(-1, 2)


def _detail(random: Random, coins: list[list[Bar]]) -> Detail:
    rows: list[tuple[int, int, int, int]] = []
    first = []
    is_of_trades = random.random() < 0.5
    for bars in coins:
        starts = []
        for bar in bars:
            starts.append(len(rows))
            pieces = random.choice((0, 1, 3, 6)) if bar[4] != NO_BAR else 0
            rows.extend(_piece(random, bar, is_trade=is_of_trades) for _ in range(pieces))
        first.append([*starts, len(rows)])
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Detail(np.ascontiguousarray(table), np.array(first, np.int64))


def _piece(random: Random, bar: Bar, *, is_trade: bool) -> tuple[int, int, int, int]:
    _, high, low, _, _ = bar
    if is_trade:
        price = random.randint(low, high)
        return price, price, price, price
    prices = sorted(random.randint(low, high) for _ in range(4))
    opened, close = random.sample(prices, 2)
    return opened, prices[3], prices[0], close
