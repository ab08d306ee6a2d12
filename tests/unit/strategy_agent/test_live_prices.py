"""Best prices are as old as what told them, or agreed with them, last."""

import pytest

from strategy_agent.application.live_prices import LivePrices
from suite.account.events import BestPush, Level
from suite.account.pushes import read_message


class At:
    """Prices at a time that a test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.prices = LivePrices(now_s=lambda: self.now_s)

    def told(self, bid: str | None = "99.5", ask: str | None = "100.5", size: str = "2.0") -> None:
        sides = [None if px is None else Level(px, size) for px in (bid, ask)]
        self.prices.received_best(BestPush(coin="ETH", bid=sides[0], ask=sides[1]))

    @property
    def age_ms(self) -> float | None:
        found = self.prices.best("ETH")
        return None if found is None else found[1]


def test_best_prices_are_read_and_known_until_there_are_others() -> None:
    at = At()
    assert at.age_ms is None
    at.told()
    best, age_ms = at.prices.best("ETH") or pytest.fail("no prices")
    assert (99.5, 2.0, 100.5, 2.0, 0.0) == (
        best.bid, best.bid_size, best.ask, best.ask_size, age_ms
    )  # fmt: skip
    at.told("98.0", "98.5")
    assert 98.5 == (at.prices.best("ETH") or pytest.fail("no prices"))[0].ask
    assert at.prices.best("BTC") is None


def test_a_mid_within_them_keeps_them_young_and_no_other_does() -> None:
    at = At()
    at.told()
    for mids, age_ms in (
        ({"ETH": "100.0"}, 0.0),
        ({"ETH": "100.5"}, 0.0),
        ({"ETH": "100.6"}, 1_000.0),
        ({"ETH": "99.4"}, 2_000.0),
        ({"BTC": "100.0"}, 3_000.0),
        ({"ETH": "NaN"}, 4_000.0),
        ({"ETH": "99.5"}, 0.0),
    ):
        at.now_s += 1
        at.prices.received(mids)
        assert age_ms == at.age_ms, mids


@pytest.mark.parametrize(
    ("bid", "ask", "size"),
    [
        (None, "100.5", "1"),
        ("99.5", None, "1"),
        ("100.6", "100.5", "1"),
        ("0", "100.5", "1"),
        ("-1", "100.5", "1"),
        ("nan", "100.5", "1"),
        ("99.5", "100.5", "-1"),
        ("99.5", "100.5", "many"),
    ],
)
def test_what_is_no_touch_takes_the_one_before_away(
    bid: str | None, ask: str | None, size: str
) -> None:
    at = At()
    at.told()
    at.told(bid, ask, size)
    assert at.age_ms is None


def test_message_of_the_venue_is_read() -> None:
    said = (
        b'{"channel":"bbo","data":{"coin":"ETH","time":17,"bbo":'
        b'[{"px":"99.5","sz":"2.0","n":3},null]}}'
    )
    assert (BestPush(coin="ETH", bid=Level("99.5", "2.0"), ask=None),) == read_message(said)
