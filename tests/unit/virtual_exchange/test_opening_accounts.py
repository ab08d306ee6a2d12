"""Traders that come while a world goes on."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.served import Served, served
from tests.support.waiting import until
from tests.support.worlds import START_MS, open_memory_world, random_source
from tests.unit.virtual_exchange.native_gateway import NOW_MS, STRANGER, act, cash

from suite.addresses import account_address
from suite.bars import MINUTE_MS
from suite.clock import ManualClock
from suite.contracts.world import AccountRequest
from suite.errors import Conflict
from suite.ids import AccountId
from virtual_exchange.application.session import Session
from virtual_exchange.domain.accounts import Account

BUY = {"type": "order", "coin": "BTC", "is_buy": True, "sz": "0.01"}
SELL = {**BUY, "is_buy": False}


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as running:
        yield running


class Player:
    """One account of a world, and every answer that it was given."""

    def __init__(self, venue: Served, created: dict[str, Any], name: str) -> None:
        self._client, self._base = venue.client, created["base_url"]
        self._headers = {"authorization": f"Bearer {created['tokens'][name]}"}
        self.answers: list[bytes] = []

    async def join(self) -> None:
        await self._post("/clock/join", {"want": {"fills": True, "account": True}})

    async def step(self, minute: int, *orders: dict[str, Any]) -> None:
        await self._post(
            "/clock/wait",
            {
                "step_seq": len(self.answers),
                "until_ms": START_MS + minute * MINUTE_MS,
                "orders": orders,
                "want": {"fills": True, "account": True, "mids": True},
            },
        )

    async def _post(self, path: str, body: Any) -> None:
        reply = await self._client.post(self._base + path, json=body, headers=self._headers)
        assert 200 == reply.status_code, reply.text
        self.answers.append(reply.content)


def told(player: Player, answers: int) -> bool:
    return len(player.answers) == answers


async def world(venue: Served, **more: Any) -> dict[str, Any]:
    body = {"symbols": ["BTC"], "accounts": [{"id": "eve"}], **more}
    created: dict[str, Any] = (await venue.post("/worlds", body, "operator")).json()
    return created


async def opened(venue: Served, created: dict[str, Any], *accounts: Any) -> Any:
    path = f"/worlds/{created['world_id']}/accounts"
    return await venue.post(path, {"accounts": accounts}, "operator")


async def test_one_that_comes_later_trades_and_nobody_else_notices(venue: Served) -> None:
    """Every byte that the first one is told is what it is told alone; time waits for both."""
    streams = []
    for with_ann in (False, True):
        created = await world(venue)
        eve = Player(venue, created, "eve")
        await eve.join()
        await eve.step(5, BUY)
        if with_ann:
            reply = await opened(venue, created, {"id": "ann", "initial_balance": "5000"})
            assert 201 == reply.status_code, reply.text
            ann = Player(venue, reply.json(), "ann")
            await ann.join()
            assert b'"equity":"5000.0"' in ann.answers[0]
            both = asyncio.gather(eve.step(20, SELL), ann.step(10, BUY))
            await asyncio.sleep(0)
            await until(partial(told, ann, 2))
            assert 2 == len(eve.answers), "time waits for the one that came later"
            last = asyncio.gather(both, ann.step(30, SELL))
            await until(partial(told, eve, 3))
            await asyncio.gather(last, eve.step(30))
            assert 2 == sum(b'"dir"' in answer for answer in ann.answers)
        else:
            await eve.step(20, SELL)
            await eve.step(30)
        streams.append(eve.answers)
    assert streams[0] == streams[1]
    assert 4 == len(streams[0])


@pytest.mark.parametrize(
    ("accounts", "status", "text"),
    [
        ([{"id": "eve"}], 409, "there is an account eve already"),
        ([{"id": "bob"}, {"id": "bob"}], 400, "two accounts have the same id"),
        ([{"id": "bob", "initial_balance": "-1"}], 400, "initial_balance of bob"),
        ([{"id": "bob", "initial_balance": "0.0000001"}], 400, "initial_balance of bob"),
        ([{"id": f"b{number}"} for number in range(17)], 409, "room for 17 accounts, and has 1"),
        ([], 422, "accounts"),
    ],
)
async def test_one_that_cannot_be_opened_keeps_all_of_its_request_out(
    venue: Served, accounts: list[Any], status: int, text: str
) -> None:
    """All or none; and the world is as it was."""
    created = await world(venue)
    before = await venue.get(f"/worlds/{created['world_id']}", "operator")
    good = [{"id": "good"}] if accounts else []
    reply = await opened(venue, created, *good, *accounts)
    assert (status, True) == (reply.status_code, text in reply.text), reply.text
    after = await venue.get(f"/worlds/{created['world_id']}", "operator")
    assert before.json() == after.json()


async def test_only_the_operator_opens_accounts(venue: Served) -> None:
    """Not a trader of the world, and not without a token."""
    created = await world(venue)
    path = f"/worlds/{created['world_id']}/accounts"
    for name, status in ((None, 401), ("alice", 403)):
        reply = await venue.post(path, {"accounts": [{"id": "bob"}]}, name)
        assert status == reply.status_code


async def test_a_lost_token_is_replaced_and_the_earlier_one_ends(venue: Served) -> None:
    """`again`: what is there stays as it is, what is not is opened; the operator's own stays."""
    created = await world(venue, accounts=[{"id": "eve"}, {"id": "operator"}])
    path = f"/worlds/{created['world_id']}/accounts"
    wanted = [{"id": "eve", "initial_balance": "1"}, {"id": "operator"}, {"id": "new"}]
    reply = await venue.post(path, {"accounts": wanted, "again": True}, "operator")
    assert 201 == reply.status_code, reply.text
    tokens = reply.json()["tokens"]
    assert {"eve", "operator", "new"} == set(tokens)
    want = {"want": {"account": True}}
    for token, status in ((created["tokens"]["eve"], 401), (tokens["eve"], 200)):
        answer = await venue.client.post(
            f"{created['base_url']}/clock/join",
            json=want,
            headers={"authorization": f"Bearer {token}"},
        )
        assert status == answer.status_code, answer.text
    assert '"equity":"10000.0"' in answer.text
    assert 201 == (await opened(venue, created, {"id": "last"})).status_code


def joined(session: Session, name: str, usd: int, address: str = "") -> Account:
    wanted = AccountRequest(id=name, initial_balance=Decimal(usd), address=address or None)
    (account,) = session.open_accounts([wanted])
    return account


@pytest.mark.parametrize("usd", [120, 500, 9000])
def test_what_only_the_faucet_opened_is_given_to_who_opens_it_by_name(usd: int) -> None:
    """Its money is what that one says, also in what it is said to have paid in."""
    session = open_memory_world(random_source("BTC"), faucet=500, capacity=2)
    session.identity.register(account_address("ann"))
    ann = joined(session, "ann", usd)
    assert (1, 2) == (ann.index, len(session.world.accounts))
    assert usd * 10**6 == cash(session, 1)
    assert [usd * 10**6] == [entry.usd for entry in session.world.books[1].ledger]
    assert ann is session.world.by_id[AccountId("ann")] is session.world.books[1].account
    assert ann is session.world.by_address[ann.address]
    assert AccountId(ann.address) not in session.world.by_id
    with pytest.raises(Conflict, match=r"room for 2 accounts, and has 2: .* --option capacity="):
        joined(session, "bob", usd)


@pytest.mark.parametrize("use", ["signs", "is paid"])
def test_an_account_of_the_faucet_that_somebody_used_is_given_to_nobody(use: str) -> None:
    session = open_memory_world(random_source("BTC"), clock=ManualClock(NOW_MS), faucet=500)
    session.identity.register(STRANGER.address)
    if use == "signs":
        act(session, {"type": "noop"}, STRANGER)
    else:
        paid = session.world.by_address[STRANGER.address]
        assert session.world.move_money(paid.index, 10**6, "deposit")
    with pytest.raises(Conflict, match="is known already"):
        joined(session, "ann", 100, STRANGER.address)
    assert "ann" not in session.world.by_id
