"""Whatever a provider or a model does wrong: the trader says so, and its money is counted exactly.

The whole way, with the official client libraries: a scripted server, its provider, the ledger, the
trader, its run and its status. After each trouble the server answers well, and the trader trades.
"""

import dataclasses
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.model_server import Act, ModelServer, answer, body, cut, error, serving
from tests.support.models_setting import Setting
from tests.support.waiting import until
from tests.unit.strategy_agent.scripted import JournalList, ScriptedVenue, alpha_with
from tests.unit.strategy_core.fake_venue import spec_of
from tests.unit.strategy_core.llm.replies import BAD
from tests.unit.strategy_core.llm.test_mind import LONG, venue_of

from strategy_agent.application.alpha_loop import AlphaLoop
from strategy_agent.application.parts import Parts
from strategy_agent.application.status import Alert, Status
from strategy_core.llm.templates import TEMPLATES
from strategy_models.opening import Models
from suite.contracts.trader import TraderSpec
from suite.contracts.venue import PlaceOrder

NAME = "mind"
BUDGET_USD = Decimal("0.2")
ANSWERED_USD = 100 * 2 + 10 * 8
"""Micro-USD of an answer with the usage that the server tells, at the prices of `openai/big`."""
ENTRY = json.dumps({"decisions": [LONG], "notes": []})
QUIET = {"volatility": None, "funding_flip": False, "fill": False, "closed": False}
LIMIT_S = 60.0
"""Importing a client library takes long on a busy machine."""
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def says(text: str | None, finish: str = "stop", **fields: object) -> Act:
    """Answer with a text of the model."""
    message = {"role": "assistant", "content": text, **fields}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return body({"choices": [choice], "usage": USAGE})


def wrong(**fields: object) -> Act:
    """An entry that is right but for some of its fields."""
    return says(json.dumps({"decisions": [LONG | fields], "notes": []}))


@dataclasses.dataclass(frozen=True)
class Case:
    """A trouble.

    Attributes:
        acts: of the server, one for each request of the first question.
        state: beginning of what the status says; empty where the answer can be used all the same.
        paid: micro-USD; None for what had to be reserved, as nobody knows what was charged.
    """

    acts: tuple[Act, ...]
    state: str
    paid: int | None = 0


def useless(act: Act, kinds: str) -> Case:
    """An answer that is asked for once more, and is as useless then; both are paid."""
    return Case((act, act), f"unusable: its answer has {kinds}", 2 * ANSWERED_USD)


BUSY = error(429, "slow down")
CASES: dict[str, Case] = {
    "bad key": Case((error(401, "Incorrect API key provided"),), "key_refused: "),
    "quota": Case((error(429, "you exceeded", "insufficient_quota"),), "quota: "),
    "payment required": Case((error(402, "Insufficient Balance"),), "quota: "),
    "429 without retry-after": Case((BUSY, BUSY), "rate_limited: "),
    "429 with a long retry-after": Case(
        (error(429, "tomorrow", retry_after="3600"),),
        "rate_limited: openai/big wants fewer questions for 3,600 s: tomorrow",
    ),
    "429 with a short one": Case(
        (error(429, "slow down", retry_after="7"), says(ENTRY)), "", ANSWERED_USD
    ),
    "a body that was cut": Case((body(b'{"choices": [{"mess'),), "unreadable: ", None),
    "stream cut": Case((cut, cut), "unreachable: ", None),
    "empty choices": Case((body({"choices": []}),), "unreadable: ", None),
    "truncated JSON": useless(says(ENTRY[:60]), "bad_json"),
    "truncated by the limit of tokens": useless(says(ENTRY[:60], "length"), "cut_off"),
    "prose around JSON": Case((says(f"Sure! I buy.\n{ENTRY}\nGood luck."),), "", ANSWERED_USD),
    "prose alone": useless(says("I would buy bitcoin here."), "no_json"),
    "another language": useless(says("我认为应该持有。"), "no_json"),
    "another language around JSON": Case((says(f"决定如下 {ENTRY} 谢谢"),), "", ANSWERED_USD),
    "a signal in another language": useless(wrong(signal="买入"), "unknown_signal"),
    "a size with a unit": useless(wrong(size_usd="2k USD"), "wrong_unit"),
    "a stop in percent": useless(wrong(stop_loss="2%"), "wrong_unit"),
    "a confidence in percent": useless(wrong(confidence=70), "out_of_range"),
    "a stop on the wrong side": Case(
        (wrong(stop_loss=105, take_profit=None),),
        "unusable: its answer has wrong_side",
        ANSWERED_USD,
    ),
    "kept back by the provider": useless(says("", "content_filter"), "refused"),
    "refused by the model": useless(says(None, refusal="I cannot advise."), "refused"),
    "refused in prose": useless(says("I'm sorry, I can't give advice."), "no_json"),
    "nothing said": useless(says(""), "empty"),
}


@pytest.fixture
def server() -> Any:
    with serving() as told:
        told.text = ENTRY
        yield told


@pytest.fixture
def setting(tmp_path: Path, server: ModelServer) -> Setting:
    return Setting(folder=tmp_path, url=server.url, provider={"requests_per_minute": 10_000})


class ModelVenue(ScriptedVenue):
    """A venue whose traders have models."""

    def __init__(self, models: Models) -> None:
        super().__init__(sleeps=True)
        self.models = models
        self.series = venue_of(40).series

    async def connect(self, spec: TraderSpec) -> Parts:
        return dataclasses.replace(await super().connect(spec), models=self.models)


def spec_with(budget: Decimal = BUDGET_USD, **params: Any) -> TraderSpec:
    told = {"model": "openai/big", "heartbeat": "1h", "triggers": QUIET, "max_output_tokens": 500}
    usd = {"usd_per_day": str(budget)}
    return spec_of("llm", trader_id=NAME, params=told | params, budget=usd)


@asynccontextmanager
async def trading(
    setting: Setting, spec: TraderSpec, alerts: list[Alert] | None = None
) -> AsyncIterator[tuple[ModelVenue, AlphaLoop]]:
    models = setting.models(remembers=True, attempts=2)
    venue = ModelVenue(models)
    alpha = alpha_with(venue, alerts=alerts)
    alpha.add(spec)
    alpha.start()
    try:
        yield venue, alpha
    finally:
        await alpha.close()
        models.close()


def spent(setting: Setting) -> dict[str, int]:
    """What the ledger on the disk says, by purse, micro-USD."""
    with sqlite3.connect(setting.folder / "spent.sqlite") as ledger:
        return dict(ledger.execute("SELECT purse, sum(micro_usd) FROM spent GROUP BY purse"))


def told_costs(journal: JournalList) -> int:
    """What the records say that models cost, micro-USD."""
    rows = [row["llm"] for row in journal.of("decision") if row.get("llm")]
    return int(sum(Decimal(one.get("llm_cost_usd", 0)) for one in rows) * 1_000_000)


def thoughts(venue: ModelVenue) -> list[dict[str, Any]]:
    return [row["llm"] for row in venue.journal(NAME).of("decision") if row.get("llm")]


def bought(venue: ModelVenue) -> list[str]:
    """Entries that reached the venue."""
    orders = (one for request in venue.accounts[NAME].venue.requests for one in request.orders)
    placed = (one for one in orders if isinstance(one, PlaceOrder) and not one.reduce_only)
    return [f"{one.coin} {one.sz}" for one in placed]


async def turned(venue: ModelVenue, alpha: AlphaLoop) -> None:
    """Wake it, and wait until it sleeps again."""
    turns = venue.turns(NAME)
    alpha.run_once(NAME)
    await until(lambda: venue.turns(NAME) > turns and venue.asleep(NAME), LIMIT_S)


async def asked_again(server: ModelServer, venue: ModelVenue, alpha: AlphaLoop) -> None:
    """Let it look until it has asked once more."""
    before = len(server.bodies)
    while len(server.bodies) == before:
        await turned(venue, alpha)


@pytest.mark.parametrize("name", CASES)
async def test_a_trouble_is_the_state_of_the_trader_and_its_money_is_exact(
    setting: Setting, server: ModelServer, name: str
) -> None:
    """It holds, or trades what could be read; and goes on with the next good answer."""
    case = CASES[name]
    server.does(*case.acts)
    alerts: list[Alert] = []
    async with trading(setting, spec_with(), alerts) as (venue, alpha):
        await until(lambda: venue.asleep(NAME), LIMIT_S)
        status = alpha.instance(NAME).status
        assert len(case.acts) == len(server.bodies)
        assert ("running", "LIVE", 0) == (status.state, status.status, status.faults)
        assert "\n" not in status.model_fault
        if case.state:
            assert status.model_fault.startswith(case.state)
            assert [("model", status.model_fault)] == [(one.kind, one.text) for one in alerts]
        else:
            assert "" == status.model_fault
            assert [] == alerts
        paid = spent(setting)
        assert paid["machine"] == paid[f"trader {NAME}"]
        if case.paid is None:
            assert 0 < paid["machine"] < BUDGET_USD * 1_000_000
        else:
            assert case.paid == paid["machine"]

        if case.state:
            assert [] == bought(venue)
            await asked_again(server, venue, alpha)
            assert "" == status.model_fault
        await turned(venue, alpha)
        assert ["BTC 19.90049"] == bought(venue)
        purses = spent(setting)
        assert {"machine", f"trader {NAME}"} == purses.keys()
        assert {told_costs(venue.journal(NAME))} == set(purses.values())
        assert max(purses.values()) <= BUDGET_USD * 1_000_000


async def test_a_good_answer_is_one_request_and_nothing_else_is_waited_for(
    setting: Setting, server: ModelServer
) -> None:
    """The order goes out in the same turn; the only time that passes is the model's own."""

    def slowly(handler: Any) -> None:
        setting.time.at_s += 4
        answer(handler)

    server.does(slowly)
    async with trading(setting, spec_with()) as (venue, alpha):
        await until(lambda: venue.asleep(NAME), LIMIT_S)
        assert 1 == len(server.bodies)
        assert [] == setting.time.slept
        assert 1 == venue.turns(NAME)
        assert ["BTC 19.90049"] == bought(venue)
        await turned(venue, alpha)
        assert 4_000 == thoughts(venue)[0]["latency_ms"]


async def test_a_day_without_money_is_the_state_and_nothing_is_sent(
    setting: Setting, server: ModelServer
) -> None:
    spec = spec_with(Decimal("0.0001"), when_day_spent="hold")
    async with trading(setting, spec) as (venue, alpha):
        await until(lambda: venue.asleep(NAME), LIMIT_S)
        status = alpha.instance(NAME).status
        assert status.model_fault.startswith("day_spent: mind may spend 0.0001 USD a day")
        assert "raise its budget.usd_per_day" in status.model_fault
    assert [] == server.bodies
    assert 0 == sum(spent(setting).values())


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"template": TEMPLATES["arena"].replace("{{equity}}", "{{equty}}")},
         "unknown variable {{equty}}"),
        ({"model": "openai/unheard-of"}, "no price for openai/unheard-of"),
        ({"model": "openay/big"}, "did you mean openai"),
    ],
)  # fmt: skip
async def test_what_is_wrong_before_anything_is_asked_is_the_state_of_the_trader(
    setting: Setting, server: ModelServer, params: dict[str, Any], says: str
) -> None:
    """A template with an unknown variable, and a table of prices without the model."""
    async with trading(setting, spec_with(**params)) as (_, alpha):
        await alpha.instance(NAME).finished()
        status: Status = alpha.instance(NAME).status
        assert ("failed", True) == (status.state, status.lasting)
        assert says in status.error
        assert says in status.alert
        assert "\n" not in status.error
    assert [] == server.bodies
    assert {} == spent(setting)


async def test_every_malformed_reply_is_counted_by_its_kind_and_the_trader_lives(
    setting: Setting, server: ModelServer
) -> None:
    """All of the corpus, one after the other, to one trader: no crash, no order, each by name."""
    kinds: dict[str, int] = {}
    server.text = "[]"
    for text, kind in BAD.values():
        server.does(says(text), says(text))
        kinds[kind] = kinds.get(kind, 0) + 2
    spec = spec_with(Decimal(10), heartbeat="15m", max_output_tokens=50)
    async with trading(setting, spec) as (venue, alpha):
        await until(lambda: venue.asleep(NAME), LIMIT_S)
        for _ in range(len(BAD) - 1):
            await asked_again(server, venue, alpha)
        status = alpha.instance(NAME).status
        assert ("running", "LIVE", 0) == (status.state, status.status, status.faults)
        assert "unusable: its answer has unknown_field" == status.model_fault
        assert 2 * len(BAD) == len(server.bodies)
        assert {2 * len(BAD) * ANSWERED_USD} == set(spent(setting).values())
        await asked_again(server, venue, alpha)
        assert "" == status.model_fault
        counted: dict[str, int] = {}
        for thought in thoughts(venue):
            for flaw in thought["flaws"]:
                kind = flaw.partition(":")[0].rpartition(" ")[2]
                counted[kind] = counted.get(kind, 0) + 1
        assert kinds == counted
        assert [] == bought(venue)
