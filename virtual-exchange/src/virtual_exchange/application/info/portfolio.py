"""`portfolio`: what an account was worth, and what it gained, over several spans of time."""

from typing import Any, Final

from suite.bars import DAY_MS
from virtual_exchange.application.activity import Activities
from virtual_exchange.application.book import AccountBook
from virtual_exchange.application.info.values import usd
from virtual_exchange.application.world import World
from virtual_exchange.domain.record import LedgerUpdate

_SPANS: Final = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS, "allTime": 1 << 62}
_PERP_NAMES: Final = {
    "day": "perpDay",
    "week": "perpWeek",
    "month": "perpMonth",
    "allTime": "perpAllTime",
}
_MOST_POINTS: Final = 100

_Sample = tuple[int, int, int]
"""Time, value, and money moved in by then."""


class PortfolioReads:
    """The past of one world's accounts, as sampled on the hour."""

    def __init__(self, world: World, activities: Activities) -> None:
        self._world = world
        self._activities = activities

    def portfolio(self, account: int | None) -> list[list[Any]]:
        """Value and gain of an account with its spot wallet, then of its perp account alone."""
        perp: list[_Sample] = []
        both: list[_Sample] = []
        if account is not None:
            book = self._world.books[account]
            perp = self._samples(account)
            spot = _spot_balances(book, [time_ms for time_ms, _value, _moved in perp])
            both = [
                (time_ms, value + beside, moved + beside)
                for (time_ms, value, moved), beside in zip(perp, spot, strict=True)
            ]
        whole = [[name, self._span(account, both, length)] for name, length in _SPANS.items()]
        return whole + [
            [_PERP_NAMES[name], self._span(account, perp, length)]
            for name, length in _SPANS.items()
        ]

    def _samples(self, account: int) -> list[_Sample]:
        """All samples, and the present moment."""
        world, book = self._world, self._world.books[account]
        samples = world.equity_history(account)
        present = (world.now_ms, world.engine.account(account).equity_usd, book.moved_usd)
        if samples and samples[-1][0] == world.now_ms:
            samples.pop()
        return [*samples, present]

    def _span(self, account: int | None, samples: list[_Sample], length: int) -> dict[str, Any]:
        from_ms = self._world.now_ms - length
        shown = [sample for sample in samples if sample[0] >= from_ms]
        every = -(-len(shown) // _MOST_POINTS)
        points = shown[:1] + shown[1:][::-1][:: max(1, every)][::-1]
        start = shown[0][1] - shown[0][2] if shown else 0
        volume = 0 if account is None else self._activities.of(account).since_usd(from_ms)
        return {
            "accountValueHistory": [[time_ms, usd(value)] for time_ms, value, _ in points],
            "pnlHistory": [
                [time_ms, usd(value - moved - start)] for time_ms, value, moved in points
            ],
            "vlm": usd(volume),
        }


def _spot_balances(book: AccountBook, times_ms: list[int]) -> list[int]:
    """USDC in the spot wallet at each of some rising times, micro-USD.

    It is what it is now without what came later.
    """
    balance, later = int(book.spot_usd), list(book.ledger)
    balances = []
    for time_ms in reversed(times_ms):
        while later and later[-1].time_ms > time_ms:
            balance -= _spot_change(book, later.pop())
        balances.append(balance)
    return balances[::-1]


def _spot_change(book: AccountBook, update: LedgerUpdate) -> int:
    """What an entry of the ledger has added to the spot wallet, micro-USD."""
    if update.kind == "accountClassTransfer":
        return -update.usd
    if update.kind == "send" and not update.perp_usd:
        return -update.usd if update.user == book.account.address else update.usd
    return 0
