"""What people are told of traders: trades that open and close, what goes wrong, and each day.

Only what happens now: fills of the past, and those of simulated worlds, whose time is another, are
nobody's news.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from suite.clock import Clock
from suite.ids import TraderId
from suite.notices import Notices
from trader_manager.application.account_reader import AccountNews
from trader_manager.application.supervisor import Condition
from trader_manager.domain.records import EquitySample, Trade

NEWS_MS: Final = 600_000
"""A fill older than this is none."""
_DAY_MS: Final = 86_400_000
_CENT: Final = Decimal("0.01")


@dataclass(slots=True)
class _Day:
    """What a trader made of a day so far.

    Attributes:
        first_usd, last_usd: equity.
        closed: trades that ended.
        net_usd: realized by them, less fees.
    """

    first_usd: Decimal | None = None
    last_usd: Decimal | None = None
    closed: int = 0
    net_usd: Decimal = Decimal(0)


class Announcer:
    """Puts what happens into words.

    Args:
        notices: where they go.
        wall: the machine's clock.
    """

    def __init__(self, notices: Notices, wall: Clock) -> None:
        self._notices = notices
        self._wall = wall
        self._day = wall.now_ms() // _DAY_MS
        self._days: dict[TraderId, _Day] = {}
        self._results: dict[tuple[TraderId, str], Decimal] = {}
        self._troubled: dict[TraderId, str] = {}
        self._actual: dict[TraderId, str] = {}

    def condition(self, condition: Condition) -> None:
        """Tell of a trader that has come into trouble, and of one that is out of it."""
        name, actual = condition.trader.trader_id, condition.sighting.actual
        if actual != self._actual.get(name):
            self._actual[name] = actual
            self._notices.note("trader_is", f"trader {name} is {actual}")
        trouble = condition.problem or condition.sighting.reason
        if condition.ending or trouble == self._troubled.get(name, ""):
            return
        if trouble:
            self._troubled[name] = trouble
            is_down = condition.sighting.actual in {"crashed", "failed"}
            self._notices.tell(
                "trader_failed" if is_down else "trader",
                f"trader {name} is {condition.sighting.actual}: {trouble}",
            )
        elif self._troubled.pop(name, "") and condition.sighting.actual == "running":
            self._notices.tell("trader_back", f"trader {name} runs again")

    def supervision(self, trouble: str) -> None:
        """Tell that nobody looks after the traders, or that somebody does again."""
        if trouble:
            self._notices.tell("no_supervision", trouble, is_critical=True)
        else:
            self._notices.acknowledge()
            self._notices.tell("supervision", "traders are looked after again")

    def news(self, name: TraderId, news: AccountNews) -> None:
        """Tell what is new of an account."""
        self.look()
        self.trades(name, news.trades)
        if news.sample is not None:
            self.sample(name, news.sample)

    def trades(self, name: TraderId, trades: Sequence[Trade]) -> None:
        """Tell of trades that opened or closed a position."""
        now_ms = self._wall.now_ms()
        for trade in trades:
            if not -NEWS_MS < now_ms - trade.time_ms < NEWS_MS:
                continue
            key = (name, trade.coin)
            after = trade.start_position + trade.size * trade.side
            result = self._results.get(key, Decimal(0)) + trade.closed_pnl_usd - trade.fee_usd
            self._results[key] = result
            side = "long" if (after or trade.start_position) > 0 else "short"
            if not trade.start_position:
                self._notices.tell(
                    "trade_opened",
                    f"{name} opened {trade.coin} {side} {_plain(trade.size)} "
                    f"at {_plain(trade.price)}",
                )
            if not after:
                del self._results[key]
                self._closed(name, trade, side, result)

    def sample(self, name: TraderId, sample: EquitySample) -> None:
        """Take note of what a trader is worth."""
        if not -NEWS_MS < self._wall.now_ms() - sample.time_ms < NEWS_MS:
            return
        day = self._days.setdefault(name, _Day())
        equity_usd = Decimal(sample.equity_usd).scaleb(-6)
        if day.first_usd is None:
            day.first_usd = equity_usd
        day.last_usd = equity_usd

    def look(self) -> None:
        """Sum the day up once it is over."""
        day = self._wall.now_ms() // _DAY_MS
        if day <= self._day:
            return
        if self._days:
            text = summary(self._days)
            date = datetime.fromtimestamp(self._day * 86_400, UTC).date()
            self._notices.tell("daily_summary", f"{date.isoformat()} UTC: {text}")
        self._day = day
        self._days = {
            name: _Day(first_usd=one.last_usd, last_usd=one.last_usd)
            for name, one in self._days.items()
        }

    def _closed(self, name: TraderId, trade: Trade, side: str, result: Decimal) -> None:
        day = self._days.setdefault(name, _Day())
        day.closed += 1
        day.net_usd += result
        self._notices.tell(
            "trade_closed",
            f"{name} closed {trade.coin} {side} at {_plain(trade.price)}: {_signed(result)} USDC",
        )


def summary(days: Mapping[TraderId, _Day]) -> str:
    """Write what all traders made of a day, the best and the worst by name."""
    changes = {
        name: day.last_usd - day.first_usd
        for name, day in days.items()
        if day.first_usd is not None and day.last_usd is not None
    }
    worth = sum((day.last_usd or Decimal(0) for day in days.values()), Decimal(0))
    closed = sum(day.closed for day in days.values())
    text = (
        f"{len(days)} traders, {worth.quantize(_CENT):,} USDC "
        f"({_signed(sum(changes.values(), Decimal(0)))}), {closed} trades closed"
    )
    if len(changes) > 1:
        best, worst = max(changes, key=changes.__getitem__), min(changes, key=changes.__getitem__)
        text += f"; best {best} {_signed(changes[best])}, worst {worst} {_signed(changes[worst])}"
    return text


def _plain(number: Decimal) -> str:
    return f"{number.normalize():,f}"


def _signed(usd: Decimal) -> str:
    return f"{usd.quantize(_CENT):+,}"
