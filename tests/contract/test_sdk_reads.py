"""hyperliquid-python-sdk 0.24.0, unmodified: every read of `Info` after some trading."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hyperliquid.utils.types import Cloid  # noqa: TID253 - the client under test
from tests.support.sdk import GTC, Sdk, one, set_up
from tests.support.venue_process import VenueUnderTest, eventually

pytestmark = [pytest.mark.process, pytest.mark.client("SDK")]

DECIMAL = re.compile(r"-?\d+\.\d+")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def traded(target: VenueUnderTest) -> Sdk:
    """A user with fills, a position that has paid funding, and orders of several ends."""
    sdk = set_up(target)
    sdk.exchange.update_leverage(10, "ETH")
    one(sdk.exchange.market_open("ETH", True, 0.5))["filled"]
    one(sdk.exchange.market_open("ETH", False, 0.1))["filled"]
    sdk.exchange.cancel("ETH", sdk.rest())
    sdk.rest("BTC", sz=0.001, cloid=Cloid.from_int(7))
    eventually(lambda: sdk.info.user_funding_history(sdk.address, 0))
    return sdk


def now_ms(sdk: Sdk) -> int:
    return int(sdk.info.l2_snapshot("ETH")["time"])


@pytest.mark.step("meta and prices")
def test_meta_mids_and_contexts(traded: Sdk) -> None:
    """The universe, its order, and a price for each of it."""
    info = traded.info
    names = [row["name"] for row in info.meta()["universe"]]
    assert ["BTC", "ETH", "SOL"] == names
    assert [0, 1, 2] == [info.name_to_asset(name) for name in names]
    mids = info.all_mids()
    assert set(names) <= set(mids)
    meta, contexts = info.meta_and_asset_ctxs()
    assert names == [row["name"] for row in meta["universe"]]
    assert all(DECIMAL.fullmatch(context["markPx"]) for context in contexts)
    assert "USDC" == info.spot_meta()["tokens"][0]["name"]
    spot, spot_contexts = info.spot_meta_and_asset_ctxs()
    assert len(spot["universe"]) == len(spot_contexts)
    assert info.perp_dexs()[0] is None


@pytest.mark.step("order book")
def test_l2_snapshot(traded: Sdk) -> None:
    """Bids fall, asks rise, and they do not meet."""
    book = traded.info.l2_snapshot("ETH")
    bids, asks = ([float(level["px"]) for level in side] for side in book["levels"])
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert {"px", "sz", "n"} <= set(book["levels"][0][0])


@pytest.mark.step("candles")
@pytest.mark.parametrize("interval", ["1m", "15m", "1h"])
def test_candles_snapshot(traded: Sdk, interval: str) -> None:
    """Ascending, up to the open one; nothing of the future."""
    end = now_ms(traded)
    rows = traded.info.candles_snapshot("ETH", interval, end - 5 * HOUR_MS, end)
    assert ["ETH"] == list({row["s"] for row in rows})
    assert [interval] == list({row["i"] for row in rows})
    times = [row["t"] for row in rows]
    assert times == sorted(set(times))
    assert rows[-1]["t"] <= now_ms(traded)
    for row in rows:
        assert float(row["l"]) <= min(float(row["o"]), float(row["c"]))
        assert float(row["h"]) >= max(float(row["o"]), float(row["c"]))


@pytest.mark.step("account state")
def test_user_state(traded: Sdk) -> None:
    """Margin, leverage and position of the account that traded."""
    state = traded.info.user_state(traded.address)
    (held,) = state["assetPositions"]
    position = held["position"]
    assert ("oneWay", "ETH", "0.4") == (held["type"], position["coin"], position["szi"])
    assert {"type": "cross", "value": 10} == position["leverage"]
    summary = state["marginSummary"]
    raw, value = float(summary["totalRawUsd"]), float(position["positionValue"])
    assert abs(raw + value - float(summary["accountValue"])) < 1e-6
    assert float(state["withdrawable"]) < float(summary["accountValue"])
    assert [] == traded.info.user_state("0x" + "0" * 39 + "1")["assetPositions"]


@pytest.mark.step("open orders")
def test_open_orders(traded: Sdk) -> None:
    """The short form and the long one name the same orders."""
    (short,) = traded.info.open_orders(traded.address)
    (full,) = traded.info.frontend_open_orders(traded.address)
    assert ("BTC", "B", "0.001", Cloid.from_int(7).to_raw()) == (
        short["coin"],
        short["side"],
        short["sz"],
        short["cloid"],
    )
    assert short.items() <= full.items()
    assert ("Limit", "Gtc", "N/A", "0.0", False, []) == (
        full["orderType"],
        full["tif"],
        full["triggerCondition"],
        full["triggerPx"],
        full["isTrigger"],
        full["children"],
    )


@pytest.mark.step("fills")
def test_fills(traded: Sdk) -> None:
    """Newest first, in a range of time too."""
    fills = traded.info.user_fills(traded.address)
    assert [("Close Long", "A"), ("Open Long", "B")] == [(row["dir"], row["side"]) for row in fills]
    first = fills[-1]["time"]
    by_time = traded.info.user_fills_by_time(traded.address, first, aggregate_by_time=True)
    assert {row["tid"] for row in fills} == {row["tid"] for row in by_time}
    assert [] == traded.info.user_fills_by_time(traded.address, first + HOUR_MS * 24 * 365)
    assert ["0.0", "0.5"] == [row["startPosition"] for row in fills[::-1]]


@pytest.mark.step("funding")
def test_funding(traded: Sdk) -> None:
    """What the user paid, and what the coin's rate was."""
    paid = traded.info.user_funding_history(traded.address, 0)
    assert {("funding", "ETH", "0.4")} == {
        (row["delta"]["type"], row["delta"]["coin"], row["delta"]["szi"]) for row in paid
    }
    rates = traded.info.funding_history("ETH", now_ms(traded) - 3 * HOUR_MS)
    assert rates
    assert all(row["coin"] == "ETH" and DECIMAL.fullmatch(row["fundingRate"]) for row in rates)


@pytest.mark.step("order history")
def test_historical_orders(traded: Sdk) -> None:
    """Every order with its end, newest first."""
    rows = traded.info.historical_orders(traded.address)
    assert {"filled", "canceled", "open"} == {row["status"] for row in rows}
    times = [row["statusTimestamp"] for row in rows]
    assert times == sorted(times, reverse=True)


@pytest.mark.step("fees and limits")
def test_fees_and_rate_limit(traded: Sdk) -> None:
    """The schedule that applies, and the volume so far."""
    fees = traded.info.user_fees(traded.address)
    assert ("0.00045", "0.00015") == (fees["userCrossRate"], fees["userAddRate"])
    limit = traded.info.user_rate_limit(traded.address)
    assert float(limit["cumVlm"]) > 0
    assert limit["nRequestsUsed"] < limit["nRequestsCap"]


@pytest.mark.step("portfolio")
def test_portfolio(traded: Sdk) -> None:
    """Histories of value and profit by period."""
    periods = dict(traded.info.portfolio(traded.address))
    assert {"day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth"} <= set(periods)
    day = periods["day"]
    assert day["accountValueHistory"]
    assert float(day["vlm"]) > 0


READS: dict[str, Callable[[Any, str], Any]] = {
    "delegator_history": lambda info, user: info.delegator_history(user),
    "extra_agents": lambda info, user: info.extra_agents(user),
    "perp_deploy": lambda info, _user: info.query_perp_deploy_auction_status(),
    "referral": lambda info, user: info.query_referral_state(user),
    "spot_deploy": lambda info, user: info.query_spot_deploy_auction_status(user),
    "spot_user_state": lambda info, user: info.spot_user_state(user),
    "staking_delegations": lambda info, user: info.user_staking_delegations(user),
    "staking_rewards": lambda info, user: info.user_staking_rewards(user),
    "staking_summary": lambda info, user: info.user_staking_summary(user),
    "sub_accounts": lambda info, user: info.query_sub_accounts(user),
    "to_multi_sig_signers": lambda info, user: info.query_user_to_multi_sig_signers(user),
    "twap_slice_fills": lambda info, user: info.user_twap_slice_fills(user),
    "user_abstraction": lambda info, user: info.query_user_abstraction_state(user),
    "user_dex_abstraction": lambda info, user: info.query_user_dex_abstraction_state(user),
    "user_ledger": lambda info, user: info.user_non_funding_ledger_updates(user, 0),
    "user_role": lambda info, user: info.user_role(user),
    "vault_equities": lambda info, user: info.user_vault_equities(user),
}


@pytest.mark.step("every other read of Info")
@pytest.mark.parametrize("name", READS)
def test_read_is_answered(traded: Sdk, name: str) -> None:
    """With JSON of the venue's shape, not with an error."""
    answer = READS[name](traded.info, traded.address)
    assert not (isinstance(answer, dict) and "error" in answer)


@pytest.mark.step("errors reach the caller")
def test_unknown_coin_and_type_are_client_errors(traded: Sdk) -> None:
    """The client reads 4xx bodies in one way only; ours fit it."""
    from hyperliquid.utils.error import ClientError

    with pytest.raises(ClientError) as caught:
        traded.info.post("/info", {"type": "nonsense"})
    status, code, text, *_ = caught.value.args
    assert (422, None) == (status, code)
    assert text.startswith("Failed to deserialize the JSON body into the target type")
    with pytest.raises(ClientError) as caught:
        traded.exchange.post("/exchange", {"action": {}})
    assert 422 == caught.value.args[0]
    with pytest.raises(KeyError):
        traded.exchange.order("NOPE", True, 1, 1, GTC)
