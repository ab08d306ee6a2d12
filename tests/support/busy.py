"""A world in which an account has done a little of everything."""

from itertools import count
from typing import Any

import msgspec
from tests.support.wallets import Wallet, item, order, post, trigger
from tests.support.worlds import START_MS, MemorySource, random_source

from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest, WorldRequest
from virtual_exchange.application.info.request import InfoBody
from virtual_exchange.application.session import Session, open_session

WALL_MS = 1_790_000_000_000
OWNER, OTHER, AGENT = Wallet(17), Wallet(68), Wallet(34)
CLOID = "0x" + "0" * 30 + "ab"
BUILDER = "0x" + "b" * 40


def busy_session(
    source: MemorySource | None = None, *, minutes: int = 190, **settings: Any
) -> Session:
    """Trade, transfer, and let the time go by.

    Args:
        source: of the market.
        minutes: of world time after what was done.
        settings: further fields of the world's request.
    """
    request = WorldRequest(
        symbols=("BTC", "ETH"),
        accounts=(
            AccountRequest(id="alice", address=OWNER.address),
            AccountRequest(id="bob", address=OTHER.address),
        ),
        participants=(),
        **settings,
    )
    source = source or random_source("BTC", "ETH", count=1500)
    session = open_session(request, source=source, clock=ManualClock(WALL_MS))
    session.barrier.advance(START_MS + 61 * MINUTE_MS)
    act(session, *_orders(), *_money())
    session.barrier.advance(session.world.now_ms + minutes * MINUTE_MS)
    return session


def act(session: Session, *envelopes: Any) -> None:
    """Send signed actions; none of them may be refused as a whole."""
    for envelope in envelopes:
        reply = post(session, envelope)
        assert "ok" == reply["status"], (reply, envelope["action"])


def ask(session: Session, kind: str, user: str | None = OWNER.address, **fields: Any) -> Any:
    """Read `/info` as a client would; by default of the one who has done everything."""
    told = session.queries.info(InfoBody(type=kind, user=user, **fields), None)
    return msgspec.json.decode(msgspec.json.encode(told))


def _orders() -> list[Any]:
    OWNER.nonces = count(WALL_MS)
    limit, market = {"limit": {"tif": "Gtc"}}, {"limit": {"tif": "FrontendMarket"}}
    actions = [
        {"type": "updateLeverage", "asset": 1, "isCross": False, "leverage": 5},
        order(item(px="99000", kind=market)),
        order(item(1, px="1900", sz="0.5", kind={"limit": {"tif": "Ioc"}})),
        order(item(px="50000", kind=limit, cloid=CLOID)),
        order(item(px="50000", kind={"limit": {"tif": "Ioc"}}, cloid=CLOID[:-2] + "cd")),
        order(
            item(px="60000"),
            item(px="99000", is_buy=False, reduce_only=True, kind=trigger("99000", "tp")),
            item(px="55000", is_buy=False, reduce_only=True, kind=trigger("56000", "sl")),
            grouping="normalTpsl",
        ),
        order(
            item(
                1,
                px="1399",
                is_buy=False,
                kind=trigger("1400.5", "sl", is_market=False),
            )
        ),
        order(
            item(px="50000", sz="0", is_buy=False, reduce_only=True, kind=trigger("51000", "sl")),
            grouping="positionTpsl",
        ),
        {
            "type": "twapOrder",
            "twap": {"a": 1, "b": True, "s": "1", "r": False, "m": 10, "t": False},
        },
        {"type": "createSubAccount", "name": "second"},
        {"type": "setReferrer", "code": "CODE"},
    ]
    return [OWNER.signed(action) for action in actions]


def _money() -> list[Any]:
    chain = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
    return [
        OWNER.user_signed("usdSend", destination=OTHER.address, amount="12.5", **chain),
        OWNER.user_signed("usdClassTransfer", amount="100", toPerp=False, **chain),
        OWNER.user_signed("withdraw3", destination=OTHER.address, amount="20", **chain),
        OWNER.user_signed("approveAgent", agentAddress=AGENT.address, agentName="bot", **chain),
        OWNER.user_signed("approveBuilderFee", maxFeeRate="0.01%", builder=BUILDER, **chain),
    ]
