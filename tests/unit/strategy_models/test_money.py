"""What models cost is counted to the micro-USD, before it is spent and over restarts."""

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.model_server import ModelServer, answer, body, error, hang
from tests.support.models_setting import DAY_MS, Setting, asked, choice

from strategy_core.llm.port import FaultKind, Model, ModelBudget, ModelChoice, ModelFault
from strategy_models.prices import FREE, Price, Usage, cost_of, expected
from strategy_models.providers import Catalog
from strategy_models.spending import FileLedger, MemoryLedger, Purse, Spent
from suite.errors import ConfigError, StorageError
from suite.fixed import Usd

PRICE = Price(input=Decimal("0.25"), output=Decimal(2), cached_input=Decimal("0.025"))


def ask_often(model: Model, **fields: Any) -> None:
    for _ in range(10):
        asked(model, **fields)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(), 0),
        (Usage(input=1), 1),
        (Usage(input=1000, output=100), 450),
        (Usage(input=1000, output=100, cached=1000), 225),
        (Usage(input=10, cached=99), 1),
        (Usage(input=1_000_000, output=1_000_000), 2_250_000),
    ],
)
def test_a_call_costs_its_tokens_rounded_up(usage: Usage, cost: int) -> None:
    assert cost == cost_of(usage, PRICE)


def test_what_is_expected_is_more_than_english_or_json_uses() -> None:
    """A token of English has four bytes, of digits about three."""
    assert expected(["word " * 300], 10).input >= 300
    assert 10 == expected([], 10).output


@pytest.mark.parametrize("field", ["input", "output", "cached_input"])
@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity", "1e9"])
def test_a_price_that_is_none_is_refused(field: str, value: str) -> None:
    fields = {"input": Decimal(1), "output": Decimal(1), field: Decimal(value)}
    with pytest.raises(ValueError, match=field):
        Price(**fields)


def test_a_reply_tells_what_it_cost(setting: Setting) -> None:
    reply = asked(setting.models().open(choice()))
    assert (100, 10) == (reply.input_tokens, reply.output_tokens)
    assert 100 * 2 + 10 * 8 == reply.cost_usd


def test_a_reply_without_a_count_costs_what_was_reserved(
    setting: Setting, server: ModelServer
) -> None:
    server.usage = None
    reply = asked(setting.models().open(choice()))
    assert 0 == reply.input_tokens
    assert reply.cost_usd > 50 * 8


def test_a_day_has_its_money_and_the_next_day_too(setting: Setting, server: ModelServer) -> None:
    model = setting.models().open(choice(budget="0.001"))
    with pytest.raises(ModelFault, match=r"may spend 0\.001 USD a day") as told:
        ask_often(model, at_ms=5 * DAY_MS)
    assert FaultKind.DAY_SPENT is told.value.kind
    spent = len(server.bodies)
    assert 1 < spent < 5
    asked(model, at_ms=6 * DAY_MS)
    assert spent + 1 == len(server.bodies)


def test_all_money_has_an_end(setting: Setting, server: ModelServer) -> None:
    budget = ModelBudget(usd_per_day=Decimal(9), usd_total=Decimal("0.001"))
    model = setting.models().open(ModelChoice(trader_id="t", names=("openai/big",), budget=budget))
    with pytest.raises(ModelFault) as told:
        ask_often(model)
    assert FaultKind.ALL_SPENT is told.value.kind
    assert 280 * len(server.bodies) <= 1000


def test_roles_of_a_trader_share_its_money_and_others_have_their_own(setting: Setting) -> None:
    models = setting.models()
    analyst = models.open(choice(budget="0.0007", role="analyst"))
    chair = models.open(choice(budget="0.0007", role="chair"))
    asked(analyst)
    with pytest.raises(ModelFault):
        asked(chair)
    asked(models.open(choice(budget="0.0007", trader_id="another")))


def test_the_machine_has_a_limit_of_its_own_over_all_traders_and_restarts(
    setting: Setting, server: ModelServer
) -> None:
    for trader in "ab":
        asked(setting.models(usd_per_day="0.0008").open(choice(trader_id=trader)))
    with pytest.raises(ModelFault, match=r"this machine may spend 0\.0008 USD a day") as told:
        asked(setting.models(usd_per_day="0.0008").open(choice(trader_id="c")))
    assert FaultKind.DAY_SPENT is told.value.kind
    assert 2 == len(server.bodies)
    setting.wall.advance_to(20_001 * DAY_MS)
    asked(setting.models(usd_per_day="0.0008").open(choice(trader_id="c")))


def test_a_trader_s_money_lasts_over_restarts_where_time_is_real(setting: Setting) -> None:
    asked(setting.models(remembers=True).open(choice(budget="0.0007")))
    with pytest.raises(ModelFault):
        asked(setting.models(remembers=True).open(choice(budget="0.0007")))
    asked(setting.models(remembers=False).open(choice(budget="0.0007")))


def test_a_call_that_nobody_comes_back_from_is_spent(setting: Setting, server: ModelServer) -> None:
    """A strategy whose time is over is ended in the middle of its call."""

    class Ended(BaseException):
        pass

    def end(*_: object, **__: object) -> None:
        raise Ended

    model = setting.models(remembers=True).open(choice(budget="0.0007"))
    client = model._exchanges[0].line.client  # type: ignore[attr-defined]
    client.send = end
    with pytest.raises(Ended):
        asked(model)
    with pytest.raises(ModelFault) as told:
        asked(setting.models(remembers=True).open(choice(budget="0.0007")))
    assert FaultKind.DAY_SPENT is told.value.kind
    assert [] == server.bodies


def test_every_attempt_that_may_cost_is_reserved(setting: Setting, server: ModelServer) -> None:
    server.does(hang, hang, hang)
    model = setting.models(attempts=3).open(choice(budget="0.001", timeout_s=0.1))
    with pytest.raises(ModelFault) as told:
        asked(model)
    assert FaultKind.DAY_SPENT is told.value.kind
    assert 2 == len(server.bodies)
    assert told.value.cost_usd <= 1000


def test_spending_never_passes_the_limit_by_more_than_a_call(
    setting: Setting, server: ModelServer
) -> None:
    """A provider may charge more than anybody could expect."""
    server.usage = {"prompt_tokens": 5_000, "completion_tokens": 5_000}
    model = setting.models(usd_per_day="1").open(choice(budget="0.06"))
    assert 2 * 50_000 == asked(model).cost_usd + asked(model).cost_usd
    with pytest.raises(ModelFault):
        asked(model)
    assert 2 == len(server.bodies)


def test_many_processes_share_one_ledger(tmp_path: Path) -> None:
    path = tmp_path / "a" / "spent.sqlite"
    refused: list[Spent] = []

    def spend() -> None:
        purse = _purse(FileLedger(path), per_day=1000)
        for _ in range(50):
            try:
                purse.settle(purse.reserve(Usd(20), 0), Usd(10))
            except Spent as error:
                refused.append(error)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left: list[int] = []
    FileLedger(path).add("p", 0, Usd(0), lambda today, ever: left.extend((today, ever)))
    assert left[0] == left[1] == 10 * (200 - len(refused))
    assert 980 <= left[0] <= 1000


def test_what_is_free_needs_no_ledger() -> None:
    purse = _purse(MemoryLedger(), per_day=0)
    purse.settle(purse.reserve(Usd(0), 0), Usd(0))
    with pytest.raises(Spent):
        purse.reserve(Usd(1), 0)


def test_a_ledger_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    for path in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(StorageError, match="cannot keep what models cost"):
            FileLedger(path)


def test_what_cannot_be_counted_is_not_spent(setting: Setting, server: ModelServer) -> None:
    models = setting.models()
    model = models.open(choice())
    models._common.close()
    with pytest.raises(ModelFault, match="cannot keep what models cost"):
        asked(model)
    assert [] == server.bodies


def test_a_model_without_a_price_is_refused_by_name(setting: Setting) -> None:
    for prices, name in (({}, "openai/unheard-of"), ({"openai/x": {"input": 1}}, "openai/x")):
        setting.prices = prices
        with pytest.raises(ConfigError) as told:
            setting.models().open(choice(name))
        assert "\n" not in str(told.value)
        assert "price" in str(told.value)
        assert str(setting.folder / "providers.yaml") in str(told.value)


def test_prices_come_from_the_file_then_from_the_published_table(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text('prices: {"openai/gpt-5-mini": {input: 0.1, output: "0.3"}}')
    catalog = Catalog(file, local_url="http://127.0.0.1:1/v1", environment={})
    openai = catalog.provider("openai")
    mine = Price(input=Decimal("0.1"), output=Decimal("0.3"))
    assert mine == catalog.price_of("openai", "gpt-5-mini", openai)
    known = catalog.price_of("anthropic", "claude-sonnet-4-5", catalog.provider("anthropic"))
    assert known.output > known.input > (known.cached_input or 0) > 0
    assert FREE == catalog.price_of("local", "anything", catalog.provider("local"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prices: {a/b: {input: 1, output: 2, extra: 3}}", "extra"),
        ("prices: {a/b: {input: -1, output: 2}}", "input must be"),
        ("providers: {x: {base_url: nowhere}}", "base_url is not an address"),
        ("providers: {x: {base_url: 'http://h/v1', at_once: 0}}", "at least 1"),
        ("providers: {x: {base_url: 'http://h/v1', wire: telex}}", "telex"),
        ("provider: {}", "provider"),
        ("- 1", "Expected `object`"),
        ("a: [", "expected"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_a_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as told:
        Catalog(file, local_url="http://127.0.0.1:1/v1", environment={})
    assert "\n" not in str(told.value)
    assert str(file) in str(told.value)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        Catalog(tmp_path / "none", local_url="http://127.0.0.1:1/v1", environment={})


def test_a_cheaper_model_stands_in_when_money_is_short(setting: Setting) -> None:
    model = setting.models().open(choice("openai/big", "openai/small", budget="0.0007"))
    names = [asked(model).model for _ in range(3)]
    assert ["openai/big", "openai/small", "openai/small"] == names
    with pytest.raises(ModelFault) as told:
        ask_often(model)
    assert FaultKind.DAY_SPENT is told.value.kind


def test_another_model_stands_in_for_one_that_cannot_be_had(
    setting: Setting, server: ModelServer
) -> None:
    server.does(error(404, "no model big"), answer, body(b"what?"), answer)
    server.does(error(500, "a"), error(401, "b"))
    model = setting.models(attempts=1).open(choice("openai/big", "anthropic/claude"))
    assert "anthropic/claude" == asked(model).model
    reply = asked(model)
    assert "anthropic/claude" == reply.model
    assert reply.cost_usd > 400  # of the answer that could not be read
    with pytest.raises(ModelFault, match=r"HTTP 500: a; .*HTTP 401.*: b") as told:
        asked(model)
    assert FaultKind.KEY_REFUSED is told.value.kind


def _purse(ledger: FileLedger | MemoryLedger, *, per_day: int) -> Purse:
    return Purse(ledger, "p", owner="p", per_day=Usd(per_day), total=None, cure="wait")
