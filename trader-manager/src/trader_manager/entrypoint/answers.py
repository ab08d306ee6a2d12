"""Shapes of what the board answers: money in whole micro-USD, fills with the venue's decimals."""

import msgspec

from suite.contracts.fills import TradeRow
from suite.contracts.leaderboard import Leaderboard, LeaderboardRow
from trader_manager.domain.records import OpenPosition


class OfMoment(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and as of when it is.

    Attributes:
        world: of the venue; `live` where market and money are real.
        now_ms: the venue's time.
        trouble: why that is no later; empty where it is the present.
    """

    world: str
    now_ms: int
    trouble: str


class BoardAnswer(OfMoment, frozen=True, kw_only=True):
    """The leaderboard."""

    board: Leaderboard


class BestAnswer(OfMoment, frozen=True, kw_only=True):
    """The best competitor; null where nobody is ranked."""

    best: LeaderboardRow | None


class HistoryAnswer(OfMoment, frozen=True, kw_only=True):
    """Samples of one trader as columns of equal length, by rising time, micro-USD.

    Attributes:
        samples: how many there are; the columns have some of them, evenly chosen, where that is
            more than was asked for.
        total_return: from the first to the last of all of them, time-weighted, the models' bill
            taken off; null without any.
        time_ms: the venue's time.
        equity_usd: cash and unrealized PnL.
        net_deposits_usd, fees_usd, llm_cost_usd: since the account began; fees positive when paid.
        funding_usd: likewise, negative when paid.
        notional_usd: of its positions.
        llm_tokens: since the account began.
    """

    trader_id: str
    samples: int
    total_return: float | None
    time_ms: list[int]
    equity_usd: list[int]
    net_deposits_usd: list[int]
    fees_usd: list[int]
    funding_usd: list[int]
    llm_cost_usd: list[int]
    notional_usd: list[int]
    llm_tokens: list[int]


class TradesAnswer(OfMoment, frozen=True, kw_only=True):
    """Fills of one trader, oldest first.

    Attributes:
        fills: how many there are in that time; `trades` has the newest of them.
    """

    trader_id: str
    fills: int
    trades: list[TradeRow]


class PositionsAnswer(OfMoment, frozen=True, kw_only=True):
    """Positions of one trader; null where nothing is recorded, which is not flat.

    Attributes:
        time_ms: that they were read at, the venue's time.
    """

    trader_id: str
    time_ms: int | None
    positions: tuple[OpenPosition, ...] | None


class RecordsRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of one trader: samples as columns, as those of `HistoryAnswer`.

    Attributes:
        trades: of the time that was reached last, or after it, oldest first.
        positions_ms, positions: the latest, new or not; null where none are recorded.
    """

    time_ms: list[int]
    equity_usd: list[int]
    net_deposits_usd: list[int]
    fees_usd: list[int]
    funding_usd: list[int]
    llm_cost_usd: list[int]
    notional_usd: list[int]
    llm_tokens: list[int]
    trades: list[TradeRow]
    positions_ms: int | None
    positions: tuple[OpenPosition, ...] | None


class RecordsAnswer(OfMoment, frozen=True, kw_only=True):
    """What is new of all traders of the world, those that were removed too.

    Attributes:
        more: there are more fills than were asked for: read on at once.
    """

    more: bool
    traders: dict[str, RecordsRow]
