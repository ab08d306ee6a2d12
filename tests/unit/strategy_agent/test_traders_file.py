"""`traders.yaml`: read as a whole, every error with its place."""

from pathlib import Path
from typing import Any

import pytest

from strategy_agent.adapters.traders_file import choose, load_traders
from strategy_core.registry import problems
from suite.contracts.trader import TradersFileError, parse_traders
from suite.errors import BadRequest, ConfigError

GOOD = {"trader_id": "a", "strategy": {"kind": "flat"}, "symbols": ["BTC"]}


def errors(document: Any, **env: str) -> tuple[str, ...]:
    with pytest.raises(TradersFileError) as caught:
        parse_traders(document, env, check=problems)
    return caught.value.problems


def test_a_good_file_is_read_with_symbols_under_their_coin() -> None:
    """Any venue's spelling, defaults filled in, money exact."""
    entry = GOOD | {"symbols": ["BTCUSDT", "ETH/USDC:USDC"], "initial_balance": 1000.1}
    trader = parse_traders({"traders": [entry]}, {}, check=problems).traders[0]
    assert ("BTC", "ETH") == trader.symbols
    assert ("15m", "a", "1000.1") == (
        trader.interval,
        trader.account_id,
        str(trader.initial_balance),
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"simbols": 1}, "traders[a].simbols: unknown key, did you mean symbols?"),
        ({"symbols": []}, "traders[a].symbols: expected `array` of length >= 1"),
        ({"symbols": "BTC"}, "traders[a].symbols: expected `array`, got `str`"),
        ({"symbols": ["BTC", 7]}, "traders[a].symbols[1]: expected `str`, got `int`"),
        ({"symbols": ["?"]}, "traders[a].symbols[0]: not a symbol: '?'"),
        ({"symbols": ["BTC", "BTCUSDT"]}, "traders[a].symbols[1]: BTC is there already"),
        ({"interval": "16m"},
         ("traders[a].interval: '16m' is not one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 8h, 12h, "
          "1d")),
        ({"exits": {"smart": "yes"}}, "traders[a].exits.smart: expected `bool`, got `str`"),
        ({"exits": {"smarts": True}},
         "traders[a].exits.smarts: unknown key, did you mean smart?"),
        ({"exits": {"loss_max": 2}}, "traders[a].exits.loss_max: expected `float` <= 1.0"),
        ({"exits": {"margin_usage_max": 0.5}},
         ("traders[a].exits: margin_usage_safe (0.7) must be below margin_usage_max (0.5)")),
        ({"initial_balance": 0},
         "traders[a].initial_balance: must be above 0 and at most 1e11 USD"),
        ({"initial_balance": "NaN"},
         "traders[a].initial_balance: must be above 0 and at most 1e11 USD"),
        ({"initial_balance": "1.0000001"},
         "traders[a].initial_balance: finer than 0.000001 USD"),
        ({"initial_balance": "much"}, "traders[a].initial_balance: invalid decimal string"),
        ({"initial_balance": "1_0"}, "traders[a].initial_balance: invalid decimal string"),
        ({"initial_balance": "\u0661\u0662"}, "traders[a].initial_balance: invalid decimal string"),
        ({"strategy": {}}, "traders[a].strategy.kind: missing"),
        ({"strategy": "flat"}, "traders[a].strategy: must be a mapping of keys to values"),
        ({"strategy": {"kind": "flat", "parms": {}}},
         "traders[a].strategy.parms: unknown key, did you mean params?"),
        ({"strategy": {"kind": "flatt"}},
         ("traders[a].strategy.kind: 'flatt' is not one of "
          "fixed_spread, flat, funding_rate, hodl, ict_xgboost, llm, llm_meeting, random, "
          "sma_cross, did you mean flat?")),
        ({"strategy": {"kind": "sma_cross"}, "interval": "5m"},
         ("traders[a].strategy.params: there are no bars of 5 minutes, the trader's interval: "
          "set minutes to one of 1, 15, 60, 240, 1440")),
        ({"strategy": {"kind": "sma_cross", "params": {"minutes": 5}}},
         ("traders[a].strategy.params: there are no bars of 5 minutes; minutes is one of "
          "1, 15, 60, 240, 1440")),
        ({"risk": {"max_levrage": 2}},
         "traders[a].risk.max_levrage: unknown key, did you mean max_leverage?"),
        ({"account": "../b"},
         ("traders[a].account: may be 1 to 64 letters (A to Z, a to z), digits and `_ . -`, "
          "the first a letter or a digit, without `..`: a name or an address")),
        ({"name": "${NOPE}"}, "traders[a].name: environment variable NOPE is not set"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_with_its_place(change: dict[str, Any], problem: str) -> None:
    """Trader id, key and reason; nothing else is complained about."""
    assert (problem,) == errors({"traders": [GOOD | change]})


def test_every_error_of_the_file_is_listed_in_one_go() -> None:
    """Over all traders, of form and of sense, with those that have no id by number."""
    found = errors(
        {
            "traders": [
                GOOD | {"interval": "x", "strategy": {"kind": "nope"}, "name": 5},
                {"strategy": {"kind": "flat"}, "symbols": ["BTC"]},
                7,
                GOOD,
            ],
            "tradres": [],
        }
    )
    places = [problem.split(": ")[0] for problem in found]
    assert [
        "tradres",
        "traders[a].name",
        "traders[a].interval",
        "traders[a].strategy.kind",
        "traders[1].trader_id",
        "traders[2].entry",
        "traders[a].trader_id",
    ] == places


@pytest.mark.parametrize("document", [None, [], "x", {}, {"traders": {}}, {"traders": None}])
def test_a_file_of_another_shape_is_told_so(document: Any) -> None:
    """What is expected at the top."""
    assert ("the file must hold a list `traders:` with at least one entry",) == errors(document)


def test_an_empty_list_is_an_error() -> None:
    """A fleet of none is a mistake."""
    assert ("traders: the list is empty",) == errors({"traders": []})


def test_secrets_come_from_the_environment_in_texts_of_any_depth() -> None:
    """Inside parameters too; the document itself is not changed."""
    entry = GOOD | {"name": "x-${WHO}-${WHO}", "budget": {"deep": ["${WHO}"]}}
    trader = parse_traders({"traders": [entry]}, {"WHO": "me"}).traders[0]
    assert ("x-me-me", {"deep": ["me"]}) == (trader.name, trader.budget)
    assert entry["name"] == "x-${WHO}-${WHO}"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """Missing, no YAML, no text."""
    path = tmp_path / "traders.yaml"
    with pytest.raises(ConfigError, match=r"cannot read .*: No such file"):
        load_traders(path)
    path.write_text("traders: [")
    with pytest.raises(ConfigError, match=r"is not YAML: [^\n]*$"):
        load_traders(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_traders(path)


def test_values_come_from_the_env_file_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment wins over the file."""
    path, env_file = tmp_path / "traders.yaml", tmp_path / ".env"
    path.write_text("traders: [{trader_id: a, name: '${A_NAME} ${B_NAME}', "
                    "strategy: {kind: flat}, symbols: [BTC]}]")  # fmt: skip
    env_file.write_text("A_NAME=file\nB_NAME=file\n")
    monkeypatch.setenv("B_NAME", "environment")
    assert load_traders(path, env_file).traders[0].name == "file environment"


def test_traders_are_chosen_by_id_in_the_order_asked() -> None:
    """Each once, and only those that exist."""
    specs = parse_traders({"traders": [GOOD, GOOD | {"trader_id": "b"}]}, {}).traders
    assert ["b", "a"] == [spec.trader_id for spec in choose(specs, "b, a")]
    for wrong in ("", "a,a", "z"):
        with pytest.raises(BadRequest):
            choose(specs, wrong)


BAD = """\
# a comment
traders:
  - trader_id: a
    strategy: {kind: flat}
    symbols: [BTC]
    interval: 16m
    risk:
      max_levrage: 2
      max_actions: 0

  - strategy: {kind: hodl}
    symbols:
      - BTC
      - 7
  - trader_id: c
    name: ${NOPE}
    strategy:
      kind: sma_cross
      params: {fast: 3,
        slwo: 9}
    symbols: [ETH]
    symbols: [SOL]
  - {trader_id: a, strategy: {kind: flat}, symbols: [BTC]}
"""


def test_every_problem_of_a_file_has_its_line(tmp_path: Path) -> None:
    """In the order of the file; a key that is there twice is one too."""
    path = tmp_path / "traders.yaml"
    path.write_text(BAD)
    with pytest.raises(TradersFileError) as caught:
        load_traders(path)
    assert [
        (6, "traders[a].interval"),
        (8, "traders[a].risk.max_levrage"),
        (9, "traders[a].risk.max_actions"),
        (11, "traders[1].trader_id"),
        (14, "traders[1].symbols[1]"),
        (16, "traders[c].name"),
        (20, "traders[c].strategy.params.slwo"),
        (22, "traders[c].symbols"),
        (23, "traders[a].trader_id"),
    ] == [
        (int(text.split(":")[0].removeprefix("line ")), text.split(": ")[1])
        for text in caught.value.problems
    ]


TWICE = """\
x-usual: &usual
  strategy: {kind: flat}
  interval: 1h
  symbols: [BTC]
traders:
  - <<: *usual
    trader_id: a
  - trader_id: a
    strategy: {kind: flat}
    symbols:
      - BTC
      - ETH
      - BTCUSDT
    interval: 16m
  - <<: *usual
    trader_id: ${WHO}
    interval: 17m
  - trader_id: c
    <<: *usual
    account: d
  - {trader_id: d, strategy: {kind: flat}, symbols: [BTC],
     initial_balance: 0}
  - strategy: {kind: "plugin:a:B", params: {a.b: "${NOPE}",
      "a": 1}}
    symbols: [BTC]
  - {trader_id: "1", strategy: {kind: flat}, symbols: [BTC], risk: {
      max_leverage: 0}}
  - 7
"""


def test_each_of_many_mistakes_names_its_own_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where two entries share an id, an id is a variable or a number, or a key has dots."""
    monkeypatch.setenv("WHO", "a")
    path = tmp_path / "traders.yaml"
    path.write_text(TWICE)
    with pytest.raises(TradersFileError) as caught:
        load_traders(path)
    assert [
        "line 1: x-usual: unknown key",
        "line 8: traders[a].trader_id: an earlier entry is a already",
        "line 13: traders[a].symbols[2]: BTC is there already",
        "line 14: traders[a].interval: '16m' is not one of 1m",
        "line 16: traders[a].trader_id: an earlier entry is a already",
        "line 17: traders[${WHO}].interval: '17m' is not one of 1m",
        "line 21: traders[d].account: the account d is that of traders[c]; take another",
        "line 22: traders[d].initial_balance: must be above 0 and at most 1e11 USD",
        "line 23: traders[5].strategy.params.a.b: environment variable NOPE is not set",
        "line 23: traders[5].trader_id: missing",
        "line 27: traders[1].risk.max_leverage: expected `float` > 0.0",
        "line 28: traders[7].entry: must be a mapping of keys to values",
    ] == [text.partition(", ")[0] for text in caught.value.problems]


def test_what_stands_in_the_file_is_kept_beside_what_it_means(tmp_path: Path) -> None:
    path = tmp_path / "traders.yaml"
    path.write_text(
        "traders: [{trader_id: a, name: '${PATH}', strategy: {kind: flat}, symbols: [B]}]"
    )
    document = load_traders(path)
    assert "${PATH}" == document.written["a"]["name"] != document.traders[0].name


def test_where_a_trader_runs_is_the_managers_and_passed_over(tmp_path: Path) -> None:
    """One file for both; a value that no manager takes is wrong here too."""
    path = tmp_path / "traders.yaml"
    entry = "traders:\n  - {trader_id: a, strategy: {kind: flat}, symbols: [B], runtime: WHERE}\n"
    path.write_text(entry.replace("WHERE", "fleet"))
    assert ["a"] == [one.trader_id for one in load_traders(path).traders]
    path.write_text(entry.replace("WHERE", "7"))
    with pytest.raises(TradersFileError, match=r"line 2: traders\[a\].runtime: unknown key"):
        load_traders(path)


def test_what_is_wrong_together_is_told_beside_a_key_that_is_not_known() -> None:
    """A pair of parameters is judged though another key is a slip."""
    entry = {
        "trader_id": "a",
        "strategy": {"kind": "sma_cross", "params": {"fast": 30, "slow": 10, "foo": 1}},
        "symbols": ["BTC"],
    }
    with pytest.raises(TradersFileError) as caught:
        parse_traders({"traders": [entry]}, {}, check=problems)
    place = "traders[a].strategy.params"
    told = (f"{place}.foo: unknown key", f"{place}: fast (30) must be below slow (10)")
    assert told == caught.value.problems


@pytest.mark.parametrize("account", ["", "bob", "b.o-b_2", "0x" + "ab" * 20])
def test_an_account_is_a_name_or_an_address(account: str) -> None:
    """Without one it is the trader's own name."""
    (spec,) = parse_traders({"traders": [GOOD | {"account": account}]}, {}).traders
    assert (account or "a") == spec.account_id


@pytest.mark.parametrize(
    "account", [".", "..", "./bob", "a/b", "a..b", "/a", "-a", "a b", "a" * 65]
)
def test_an_account_is_no_path(account: str) -> None:
    """It names files of the services."""
    (problem,) = errors({"traders": [GOOD | {"account": account}]})
    assert problem.startswith("traders[a].account: may be 1 to 64 letters")


@pytest.mark.parametrize("day", ["2024-06-30", "'2024-06-30'", "2024-06-30T00:00:00Z"])
def test_a_day_is_a_day_whether_it_stands_in_quotes_or_not(tmp_path: Path, day: str) -> None:
    """YAML would make a date of it, which no setting is."""
    file = tmp_path / "traders.yaml"
    params = f"{{model: local/one, training_cutoff: {day}}}"
    file.write_text(
        f"traders: [{{trader_id: a, symbols: [BTC], strategy: {{kind: llm, params: {params}}}}}]"
    )
    document = load_traders(file)
    assert day.strip("'") == document.traders[0].strategy.params["training_cutoff"]
    assert day.strip("'") == document.written["a"]["strategy"]["params"]["training_cutoff"]
