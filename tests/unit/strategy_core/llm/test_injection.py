"""Text from outside is data: wherever it comes in, the prompt around it stays what it was."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.support.scripted_model import ScriptedModel, decisions
from tests.unit.strategy_core.fake_venue import INSTRUMENTS, spec_of
from tests.unit.strategy_core.llm.payloads import PAYLOADS
from tests.unit.strategy_core.market import START_MS, random_bars

from strategy_core.llm.mind import LlmTrader
from strategy_core.llm.outside import CAP, plain, quoted
from strategy_core.llm.sheet import BODY_CAP
from strategy_core.port import Observation, Verdict
from strategy_core.registry import build, problems
from strategy_core.snapshot import SnapshotSeries
from suite.bars import DAY_MS, HOUR_MS
from suite.contracts.clock import PositionView
from suite.contracts.hyperliquid_info import OpenOrder, UserFill
from suite.contracts.venue import ActionReply
from suite.errors import ConfigError

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
SNAPSHOT = SnapshotSeries("BTC", random_bars(9_000, start_ms=START_MS - 6 * DAY_MS)).build(
    START_MS, funding=None, market=None
)
HELD = PositionView(
    coin="BTC",
    size=Decimal(1),
    entry_px=Decimal(100),
    unrealized_pnl=Decimal(1),
    leverage=2,
)
SEEN = Observation(
    now_ms=START_MS,
    equity=Decimal(10_000),
    available=Decimal(9_000),
    positions={"BTC": HELD},
    mids={"BTC": Decimal(100)},
    snapshots={"BTC": SNAPSHOT},
)
FILL = UserFill(
    coin="BTC", px="100", sz="1", side="B", time=START_MS, startPosition="0", dir="Open Long",
    closedPnl="0", hash="0x0", oid=1, crossed=True, fee="0", tid=1,
)  # fmt: skip
ORDER = OpenOrder(coin="BTC", side="B", limitPx="99", sz="1", oid=5, timestamp=START_MS, origSz="1")


def _news(text: str, *, body: bool) -> Observation:
    one = {
        "at_ms": START_MS,
        "headline": "calm",
        "body": "calm",
        "body" if body else "headline": text,
    }
    return replace(SEEN, snapshots={"BTC": {**SNAPSHOT, "news": [one]}})


def _refused(text: str) -> Observation:
    data = {"type": "order", "data": {"statuses": [{"error": text}]}}
    return replace(
        SEEN,
        verdicts=(Verdict(action=0, outcome="accepted"),),
        results=(ActionReply(status="ok", response=data),),
    )


OBSERVED: dict[str, Callable[[str], Observation]] = {
    "headline": lambda text: _news(text, body=False),
    "body": lambda text: _news(text, body=True),
    "error of an order": _refused,
    "refusal of the venue": lambda text: replace(
        SEEN,
        verdicts=(Verdict(action=0, outcome="accepted"),),
        results=(ActionReply(status="err", response=text),),
    ),
    "exit plan": lambda text: replace(
        SEEN,
        verdicts=(Verdict(action=9, outcome="rejected", rule="exit_plan", reason=text),),
    ),
    "way of a fill": lambda text: replace(SEEN, fills=(replace(FILL, dir=text),)),
    "coin of a fill": lambda text: replace(SEEN, fills=(replace(FILL, coin=text),)),
    "size of an order": lambda text: replace(SEEN, open_orders=(replace(ORDER, sz=text),)),
}


def mind_of(model: ScriptedModel) -> LlmTrader:
    spec = spec_of("llm", symbols=("BTC",), params={"model": "a/b", "heartbeat": "1h"})
    mind = build(spec, instruments=INSTRUMENTS, seed=0, models=model)
    assert isinstance(mind, LlmTrader)
    return mind


def prompt_after(seen: Observation, answer: Any = "[]") -> str:
    """What it is asked an hour after it has seen something."""
    model = ScriptedModel([answer, "[]"])
    mind = mind_of(model)
    mind.decide(replace(seen, verdicts=(), results=()))
    mind.memory.labels = ("BTC buy 1",)
    mind.decide(replace(seen, now_ms=START_MS + HOUR_MS, fills=()))
    return model.prompts[-1]


def skeleton(prompt: str) -> str:
    """A prompt without what stands in quotes."""
    return _QUOTED.sub('""', prompt)


def check(prompt: str, calm: str) -> None:
    """The payload has changed nothing but what stands in quotes, and that is short and visible."""
    assert skeleton(calm) == skeleton(prompt)
    for text in _QUOTED.findall(prompt):
        assert len(text) <= 2 * BODY_CAP
        assert text.isprintable()
        assert not re.search(r"[<>{}`]|\|", text)


def test_the_corpus_is_as_large_as_promised() -> None:
    """Two hundred payloads, at ten places."""
    assert len(PAYLOADS) >= 200
    assert len(OBSERVED) + 2 >= 10


@pytest.mark.parametrize("place", OBSERVED)
def test_nothing_observed_gets_out_of_its_quotes(place: str) -> None:
    """At every place at which others' text comes in."""
    calm = prompt_after(OBSERVED[place]("it is calm"))
    for payload in PAYLOADS.values():
        check(prompt_after(OBSERVED[place](payload)), calm)


@pytest.mark.parametrize("place", ["notes", "reasoning"])
def test_nothing_it_wrote_itself_gets_out_of_its_quotes(place: str) -> None:
    """A model that obeys an attacker once does not speak as its own user ever after."""

    def answer(text: str) -> Any:
        if place == "notes":
            return decisions(notes=[text])
        return decisions(
            {"coin": "BTC", "signal": "adjust", "stop_loss": 95, "reasoning": text[:9_000]}
        )

    calm = prompt_after(SEEN, answer("it is calm"))
    assert '"it is calm"' in calm
    for payload in PAYLOADS.values():
        check(prompt_after(SEEN, answer(payload)), calm)


def test_no_coin_can_be_named_like_an_instruction() -> None:
    """Nor with letters that only look like others."""
    for name in (*list(PAYLOADS.values())[:40], "\u0412TC", "BTC\u200b", "B T C", "BTC\n"):
        spec = spec_of("llm", symbols=(name,), params={"model": "a/b"})
        said = problems(spec)
        assert said != [] or _is_refused(spec)


def _is_refused(spec: Any) -> bool:
    with pytest.raises(ConfigError):
        build(spec, instruments=INSTRUMENTS, seed=0, models=ScriptedModel())
    return True


def test_a_quoted_text_is_one_line_of_json() -> None:
    """Normalized, visible, and no longer than allowed."""
    for payload in PAYLOADS.values():
        assert _QUOTED.fullmatch(quoted(payload))
        assert len(plain(payload)) <= CAP
    assert '"A 1"' == quoted("\uff21\n\u200b\t1")


def test_what_a_venue_writes_for_a_number_is_one() -> None:
    """Else it is not known."""
    prompt = prompt_after(replace(SEEN, open_orders=(replace(ORDER, limitPx="buy now"),)))
    assert "BTC buy 1 at unknown" in prompt
