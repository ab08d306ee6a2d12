"""What must not start over ccxt says so in one line, and nothing that is secret."""

import ast
import decimal
from decimal import Decimal
from pathlib import Path

import ccxt.pro  # noqa: TID253 - what is looked into
import pytest

from strategy_agent import over_ccxt
from strategy_agent.adapters.ccxt_exchange.access import (
    HABITS,
    CcxtAccess,
    check_abilities,
    check_access,
    redirected,
)
from strategy_agent.adapters.ccxt_exchange.calls import CcxtCalls, spoken
from strategy_agent.bootstrap import Connector
from strategy_agent.settings import Settings
from strategy_core.orders.answers import read_answer
from suite.contracts.trader import StrategySpec, TraderSpec
from suite.contracts.venue import ActionReply
from suite.errors import ConfigError
from suite.service.clock import SystemClock

SECRET = "a-canary-that-nobody-may-see"
KEYS = {"apiKey": "key", "secret": SECRET}
SPEC = TraderSpec(trader_id="a", strategy=StrategySpec(kind="flat"), symbols=("BTC",))


def access(exchange: str = "binanceusdm", **more: object) -> CcxtAccess:
    return CcxtAccess(exchange=exchange, keys=KEYS, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (access(sandbox=False), "ALLOW_DIRECT_CCXT_LIVE=false"),
        (access(allow_live=True), "CCXT_SANDBOX=true"),
        (access(url="https://fapi.binance.example"), "CCXT_SANDBOX=false"),
        (access(url="http://10.0.0.7:80", allow_live=True), "CCXT_SANDBOX=false"),
        (access(url="http://127.0.0.1.example.com", sandbox=False), "ALLOW_DIRECT_CCXT_LIVE"),
        (access("binanceusd"), "did you mean binanceus"),
        (access("nowhere-at-all"), "ccxt has no 'nowhere-at-all'"),
    ],
)
def test_flags_that_do_not_agree_and_names_that_are_wrong_are_refused(
    refused: CcxtAccess, words: str
) -> None:
    with pytest.raises(ConfigError) as told:
        check_access(refused, ccxt.pro.exchanges)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert SECRET not in f"{told.value} {refused!r}"


@pytest.mark.parametrize(
    ("allowed", "real"),
    [
        (access(), False),
        (access(sandbox=False, allow_live=True), True),
        (access(url="http://127.0.0.1:8100"), False),
        (access(url="http://localhost:8100/w/a", sandbox=False), False),
        (access(url="http://[::1]:8100"), False),
    ],
)
def test_real_money_is_what_both_flags_say(allowed: CcxtAccess, real: bool) -> None:
    check_access(allowed, ccxt.pro.exchanges)
    assert real == allowed.real


def test_missing_keys_are_named_by_their_settings() -> None:
    wall = SystemClock()
    with pytest.raises(ConfigError, match=r"^CCXT_API_KEY, CCXT_SECRET not set: binanceusdm"):
        CcxtCalls(CcxtAccess(exchange="binanceusdm"), wall)
    with pytest.raises(ConfigError, match=r"^CCXT_WALLET_ADDRESS, CCXT_PRIVATE_KEY not set"):
        CcxtCalls(CcxtAccess(exchange="hyperliquid"), wall)


def test_exchange_that_cannot_do_what_is_needed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot trade at alpaca: it has no .*watchPositions"):
        check_abilities(access("alpaca"), ccxt.pro.alpaca())


def test_play_money_is_the_default_and_goes_to_the_demo() -> None:
    calls = CcxtCalls(access(), SystemClock())
    assert "https://demo-fapi.binance.com/fapi/v1" == calls.api.urls["api"]["fapiPrivate"]


def test_addresses_keep_their_paths_on_another_host() -> None:
    urls = {"rest": "https://a.example/fapi/v1", "ws": {"x": "wss://b.example:9443/ws"}, "n": None}
    expected = {"rest": "http://[::1]:1/w/fapi/v1", "ws": {"x": "ws://[::1]:1/w/ws"}, "n": None}
    assert expected == redirected(urls, "http://[::1]:1/w")


def test_ccxt_pays_nobody_and_leaves_the_rounding_alone() -> None:
    """No fee for the makers of ccxt, no referral, and half-even for whoever else calculates."""
    for name in HABITS:
        keys = KEYS | {"walletAddress": f"0x{1:040x}", "privateKey": f"0x{1:064x}"}
        calls = CcxtCalls(CcxtAccess(exchange=name, keys=keys), SystemClock())
        owner = type(calls.api).__mro__[1].__name__
        assert owner == "_Traced"
        for method in ("handle_builder_fee_approval", "set_ref"):
            assert getattr(type(calls.api), method).__qualname__.startswith("_Traced")
    assert decimal.getcontext().rounding == decimal.ROUND_HALF_EVEN
    assert Decimal("0.12") == Decimal("0.125").quantize(Decimal("0.01"))


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("Due to the order could not be executed as maker, ... (-5022)", "retry"),
        ("ReduceOnly Order is rejected. (-2022)", "flat"),
        ("too many requests: Way too many requests (-1003)", "retry"),
        ("Order would immediately trigger. (-2021)", "refused"),
        ("Margin is insufficient. (-2019)", "refused"),
        ("Post only order would have immediately matched, bbo was 1@2. asset=0", "retry"),
    ],
)
def test_refusal_means_the_same_to_the_loop_at_every_exchange(words: str, outcome: str) -> None:
    reply = ActionReply(status="err", response=spoken(words))
    assert outcome == read_answer(reply).outcome
    assert words in str(reply.response)


async def test_settings_that_cannot_be_are_one_line_and_tell_no_secret(tmp_path: Path) -> None:
    base = {"ccxt_exchange": "binanceusdm", "ccxt_api_key": "key", "ccxt_secret": SECRET}
    data = {"data_service_url": "http://127.0.0.1:9"}
    for more, words in (
        ({"trading_url": "http://127.0.0.1:9", **data}, "two places"),
        ({}, "DATA_SERVICE_URL"),
        ({"ccxt_sandbox": False, **data}, "ALLOW_DIRECT_CCXT_LIVE=false"),
        ({"ccxt_url": "http://127.0.0.1:9", **data}, "did not answer"),
    ):
        settings = Settings.model_validate({**base, **more})
        connector = Connector(settings, journal_dir=tmp_path)
        (told,) = await connector.problems(SPEC)
        assert words in told
        assert SECRET not in told + repr(settings) + repr(over_ccxt.access_of(settings))


def test_ccxt_is_imported_only_where_it_is_used() -> None:
    """A trader over the venue contract does without its hundreds of milliseconds."""
    folder = Path(over_ccxt.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("ccxt") for name in names), path
