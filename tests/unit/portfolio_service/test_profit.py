"""Profit goes by the best there is, and says by which."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portfolio_service.domain.profit import (
    Agreement,
    FillBook,
    FillSums,
    OwnFill,
    Sample,
    of_account,
    reckon,
    rounding_of,
)
from suite.fixed import Usd


def sample(**more: int) -> Sample:
    values = {"equity_usd": 990, "net_deposits_usd": 1000, "fees_usd": 2, "funding_usd": -3} | more
    return Sample(time_ms=10, **{name: Usd(value) for name, value in values.items()})


def sums(realized: str, fees: str) -> FillSums:
    return FillSums(realized_usd=Decimal(realized), fees_usd=Decimal(fees))


def fill(tid: int, time_ms: int, realized: str = "0") -> OwnFill:
    return OwnFill(
        tid=tid,
        time_ms=time_ms,
        realized_usd=Decimal(realized),
        fee_usd=Decimal("0.1"),
        value_usd=Decimal(100),
    )


def test_fills_and_account_that_say_the_same() -> None:
    """-5 realized and unrealized, -3 funding, -2 fees: -10, as equity less deposits."""
    told = reckon(sample(), sums("-0.000004", "0.000002"), Usd(-1))
    assert ("fills", 0, -10) == (told.source, told.difference_usd, told.net_usd)
    assert (-4, -1, 2, -3) == (
        *(told.realized_usd, told.unrealized_usd),
        *(told.fees_usd, told.funding_usd),
    )


def test_one_micro_usd_of_difference_is_seen_and_the_account_is_believed() -> None:
    told = reckon(sample(), sums("-0.000003", "0.000002"), Usd(-1))
    assert ("account", 1, -10) == (told.source, told.difference_usd, told.net_usd)
    parts = (told.realized_usd, told.unrealized_usd, told.funding_usd)
    assert -10 == sum(part for part in parts if part is not None) - (told.fees_usd or 0)


def test_positions_of_another_moment_leave_the_fees_to_be_compared() -> None:
    told = reckon(sample(), sums("-0.000004", "0.000002"), None)
    assert ("fills", None, -1) == (told.source, told.difference_usd, told.unrealized_usd)
    assert "account" == reckon(sample(), sums("-0.000004", "0.000001"), None).source


def test_what_a_live_venue_has_rounded_is_no_difference_and_more_is() -> None:
    """Two fills that were told to the micro-USD, of one position: 2 + 1 micro-USD at most."""
    exact = [Decimal("0.1234567"), Decimal("-0.7654321")]
    book = FillBook()
    book.add(
        OwnFill(
            tid=n,
            time_ms=n,
            realized_usd=round(one, 6),
            fee_usd=Decimal("0.000001"),
            value_usd=Decimal(100),
        )
        for n, one in enumerate(exact)
    )
    some = book.up_to(10)
    assert 3 == rounding_of(some, 1)
    made = sum(exact) * 1_000_000
    for away, source in ((0, "fills"), (3, "fills"), (-3, "fills"), (5, "account")):
        seen = sample(
            equity_usd=round(made) - 2 + 1000 + away, net_deposits_usd=1000, funding_usd=0
        )
        told = reckon(seen, some, Usd(0), rounding_of(some, 1))
        assert source == told.source, away
        assert seen.profit_usd == told.net_usd, "the account is believed to the last digit"
        parts = (told.realized_usd, told.unrealized_usd, told.funding_usd)
        assert told.net_usd == sum(part for part in parts if part is not None) - (
            told.fees_usd or 0
        )
    assert "account" == reckon(sample(equity_usd=991), some, Usd(0)).source, "a simulated one"


def test_sums_of_traders_may_be_off_by_their_rounding_and_no_more() -> None:
    def told(away: int) -> Agreement:
        return Agreement(
            compared=2,
            traders_usd=Usd(100 + away),
            accounts_usd=Usd(100),
            rounding_usd=Usd(3),
            not_compared=(),
        )

    assert [True, True, False] == [told(away).holds for away in (0, -3, 4)]


@given(
    realized=st.integers(-(10**15), 10**15),
    unrealized=st.integers(-(10**15), 10**15),
    fees=st.integers(-(10**12), 10**12),
    funding=st.integers(-(10**12), 10**12),
    deposits=st.integers(0, 10**15),
    away=st.integers(-3, 3),
)
def test_parts_always_add_up(
    realized: int, unrealized: int, fees: int, funding: int, deposits: int, away: int
) -> None:
    """Whatever it goes by; negative equity too."""
    made = realized + unrealized - fees + funding
    seen = sample(
        equity_usd=deposits + made - away,
        net_deposits_usd=deposits,
        fees_usd=fees,
        funding_usd=funding,
    )
    exact = Decimal(1).scaleb(-6)
    told = reckon(
        seen, FillSums(realized_usd=realized * exact, fees_usd=fees * exact), Usd(unrealized)
    )
    assert (away, "account" if away else "fills") == (told.difference_usd, told.source)
    assert made - away == told.net_usd
    assert told.net_usd == (told.realized_usd or 0) + (told.unrealized_usd or 0) + (
        told.funding_usd or 0
    ) - (told.fees_usd or 0)


def test_what_is_recalled_goes_by_the_account_alone() -> None:
    told = of_account(sample())
    assert ("account", -10, None) == (told.source, told.net_usd, told.realized_usd)


def test_a_fill_counts_once_and_from_its_time_on() -> None:
    book = FillBook()
    first = [fill(1, 5, "1"), fill(2, 5, "-2"), fill(3, 9, "4")]
    assert first == book.add(first)
    assert [fill(4, 9)] == book.add([fill(1, 5, "1"), fill(3, 9, "4"), fill(4, 9)])
    early = book.up_to(5)
    assert (2, 1, 1, Decimal(-1)) == (early.fills, early.wins, early.losses, early.realized_usd)
    late = book.up_to(9)
    assert (4, Decimal(3), Decimal("0.4")) == (late.fills, late.realized_usd, late.fees_usd)
