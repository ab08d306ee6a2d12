"""Market makers over the real market: every fill audited, profits divided to the micro-dollar."""

import pytest
from tests.support.audited_backtest import audited_backtest
from tests.support.real_data import needs_real_data, real_markets
from tests.support.real_makers import check, makers

from virtual_exchange.adapters.store_market import StoreMarkets

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_real_data]


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> StoreMarkets:
    return real_markets(tmp_path_factory.mktemp("real"))


def test_makers_of_thirteen_perpetuals_run_three_days_to_the_end(markets: StoreMarkets) -> None:
    """Side by side in one world; 2 % wide and an hour between decisions. 50 days: `make chaos`."""
    who = makers(interval="1h", spread=0.02)
    run = audited_backtest(who, markets, from_="2025-05-29", to="2025-06-01", allow_partial=True)
    check(run, fills=100)
    assert all(account.funding for account in run.record.accounts)


def test_makers_that_decide_every_minute_have_no_faulty_fill(markets: StoreMarkets) -> None:
    """Half a day of default quotes, a tenth of a percent wide: thousands of fills."""
    who = makers(interval="1m", spread=0.001)
    run = audited_backtest(
        who, markets, from_="2025-05-26", to="2025-05-26T12:00", allow_partial=True
    )
    check(run, fills=5_000)
