"""Market makers over the real market: what they earn, and where it comes from.

    python -m tests.bench.bench_market_making --from 2025-05-25 --to 2025-06-03 --spreads 10,20
    python -m tests.bench.bench_market_making            # 13 perpetuals, all 50 days: takes a while

All of a run's traders share one world, so they meet the same bars. Needs the folder of recorded
markets that `AUTOCRYPTOTRADER_DATA` names. Losses do not stop a trader here: limits are wide open.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.pure_market_making import PureMarketMaking
from tests.support.real_data import COINS, END, PERPS, START, real_markets

from strategy_core.building import kind_of
from strategy_core.registry import PLUGIN
from suite.clock import ManualClock
from suite.contracts.trader import StrategySpec, TraderSpec
from virtual_exchange.application.backtest import run_backtest
from virtual_exchange.application.report.building import profit_split
from virtual_exchange.application.session import world_request
from virtual_exchange.domain.record import RunRecord

WIDE_OPEN: dict[str, Any] = {
    "max_leverage": 100,
    "max_actions": 1000,
    "max_open_orders": 1000,
    "max_orders_per_minute": 1200,
    "max_executions": 10_000_000,
    "max_day_loss": 0.5,
    "at_day_loss": "hold",
    "drawdown_pause": 0.9,
    "drawdown_stop": 0.95,
    "loss_streak": 100,
}
RESTATED = f"{PLUGIN}tests.support.pure_market_making:PureMarketMaking"
KINDS = {"pure_market_making": RESTATED}
PARTS = ("spread", "inventory", "fees", "funding", "net")
HEADS = ("trader", "fills", "traded", *PARTS, "net of traded")


def traders(kinds: list[str], spreads: list[float], interval: str) -> tuple[TraderSpec, ...]:
    """One of each kind at each spread, in basis points."""
    return tuple(
        TraderSpec(
            trader_id=f"{kind}-{spread:g}",
            strategy=StrategySpec(kind=KINDS.get(kind, kind), params={"spread": spread / 10_000}),
            symbols=COINS,
            interval=interval,
            risk=WIDE_OPEN,
        )
        for kind in kinds
        for spread in spreads
    )


def rows(record: RunRecord) -> Iterator[list[str]]:
    """The table of a run."""
    for account in record.accounts:
        split = profit_split(record, account)
        traded = sum(fill.price * fill.size for fill in account.fills)
        share = 10_000 * float(split["net"]) * 1e6 / traded if traded else 0.0
        money = [f"{float(split[part]):,.0f}" for part in PARTS]
        yield [
            account.account_id,
            f"{len(account.fills):,}",
            f"{traded / 1e12:,.2f} M",
            *money,
            f"{share:+.2f} bp",
        ]


def main(arguments: list[str]) -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="start", default=START)
    parser.add_argument("--to", dest="end", default=END)
    parser.add_argument("--interval", default="1m")
    parser.add_argument("--spreads", default="10")
    parser.add_argument("--kinds", default="fixed_spread,funding_rate,pure_market_making")
    parser.add_argument("--limit-fill", default="through", choices=("through", "touch"))
    parser.add_argument("--coins", action="store_true", help="one line for each coin too")
    given = parser.parse_args(arguments)
    if not PERPS.is_dir():
        print("set AUTOCRYPTOTRADER_DATA to a folder with binance-usdm/ in it", file=sys.stderr)
        return 2
    who = traders(
        given.kinds.split(","), [float(text) for text in given.spreads.split(",")], given.interval
    )
    with tempfile.TemporaryDirectory() as root:
        record = run_backtest(
            world_request(
                who,
                from_=given.start,
                to=given.end,
                allow_partial=True,
                limit_fill=given.limit_fill,
            ),
            who,
            source=real_markets(Path(root)),
            clock=ManualClock(0),
            plugins={RESTATED: kind_of(PureMarketMaking)},
            progress=lambda done: print(f"\r{done:6.1%}", end="", file=sys.stderr),
        )
    print(f"\n{given.start} to {given.end}, {given.interval}, limit_fill {given.limit_fill}")
    for row in (list(HEADS), *rows(record)):
        print("| " + " | ".join(row) + " |")
    if given.coins:
        for account in record.accounts:
            for coin, split in profit_split(record, account)["coins"].items():
                print(account.account_id, coin, json.dumps(split))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
