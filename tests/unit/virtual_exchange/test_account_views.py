"""What a step tells of an account: the numbers of the venue's own reads, to the last digit."""

from decimal import Decimal
from random import Random

import msgspec
import pytest
from tests.support.busy import busy_session
from tests.support.worlds import START_MS, open_memory_world, random_source

from suite.account.view import view_of
from suite.bars import MINUTE_MS
from suite.contracts.clock import AccountView
from suite.contracts.venue import PlaceOrder, SetLeverage
from virtual_exchange.application.session import Session

COINS = ("BTC", "ETH", "SOL", "DOGE")


def told_by(session: Session, account: int) -> AccountView:
    """The account as the reads of the venue write it, read as an agent reads them."""
    reads = session.queries.accounts
    told = view_of(reads.clearinghouse(account), reads.orders.open_orders(account))
    net = Decimal(session.world.books[account].moved_usd) / 10**6
    return msgspec.structs.replace(told, net_deposits=net)


def digits(view: AccountView) -> bytes:
    """All that it says, as it is written; how deposits are written is not told by another read."""
    return msgspec.json.encode(msgspec.structs.replace(view, net_deposits=None))


@pytest.mark.parametrize("seed", range(8))
def test_a_view_is_the_clearinghouse_state_read_as_numbers(seed: int) -> None:
    """Over random accounts: long, short, isolated, flat, with and without a liquidation price."""
    chance = Random(seed)
    session = open_memory_world(random_source(*COINS, seed=seed), accounts=("a", "b", "c"))
    session.barrier.advance(START_MS + 5 * MINUTE_MS)
    seen: set[tuple[bool, bool, bool]] = set()
    for _ in range(12):
        for account in range(3):
            coin = chance.choice(COINS)
            lever = SetLeverage(
                coin=coin, leverage=chance.randint(1, 10), is_cross=chance.random() < 0.5
            )
            session.venue.submit(account, lever)
            price = Decimal(session.queries.market.mids()[coin])
            size = round(Decimal(chance.uniform(50, 4000)) / price, chance.randint(0, 3))
            session.venue.submit(
                account, PlaceOrder(coin=coin, is_buy=chance.random() < 0.5, sz=size)
            )
        session.barrier.advance(session.world.now_ms + chance.randint(1, 40) * MINUTE_MS)
        for account in range(3):
            view = session.queries.accounts.view(account)
            assert told_by(session, account) == view
            assert digits(told_by(session, account)) == digits(view)
            seen |= {
                (held.size > 0, held.isolated, held.liquidation_px is None)
                for held in view.positions
            }
    assert [{True, False}] * 3 == [set(kinds) for kinds in zip(*seen, strict=True)]


def test_a_view_comes_through_json_as_it_was() -> None:
    """Over HTTP a trader is shown what it is shown in process, to the digits after the point."""
    session = busy_session()
    view = session.queries.accounts.view(0)
    assert view.positions
    assert view.open_orders
    told = msgspec.json.encode(view)
    again = msgspec.json.decode(told, type=AccountView)
    assert (view, told) == (again, msgspec.json.encode(again))
