"""The command `what-if`: the same answers of language models under other fees, limits or guards.

A first run asks its models as any run does, best out of a cassette. The runs that follow ask
nobody: a question is answered as it was in the first run at that time of the world, whatever it
says now of fills and equity. One that the first run never asked is answered with nothing, and
counted: from there on the model might have said something else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from strategy_core.llm.port import (
    FaultKind,
    Model,
    ModelChoice,
    ModelFault,
    ModelReply,
    ModelRequest,
    ModelSource,
)
from suite.contracts.trader import TraderSpec
from suite.contracts.world import WorldRequest
from suite.errors import BadRequest, ConfigError
from suite.fixed import USD_ONE
from suite.service.clock import SystemClock
from virtual_exchange.adapters.plugins import load_plugins
from virtual_exchange.application.backtest import Means, run_backtest
from virtual_exchange.application.market.markets import Markets
from virtual_exchange.application.ports import MarketSource
from virtual_exchange.domain.record import AccountRecord
from virtual_exchange.running import models_for

GUARDS: Final = ("risk", "exits", "execution")
"""What of a trader may be otherwise; all else is an option of the world."""
_NOTHING: Final = ModelReply(text='{"decisions": [], "notes": []}', source="replay")
_Place = tuple[str, str, int, int]
"""Trader, role, time of the world, attempt."""


@dataclass(slots=True)
class Answers:
    """What models said in the first run.

    Attributes:
        asked: questions of it.
        found, unknown: questions of a later run, by whether they were asked at that time.
    """

    replies: dict[_Place, ModelReply] = field(default_factory=dict)
    faults: dict[_Place, ModelFault] = field(default_factory=dict)
    found: int = 0
    unknown: int = 0

    @property
    def asked(self) -> int:
        """Count the questions of the first run."""
        return len(self.replies) + len(self.faults)


class Listening:
    """Hands questions on, and keeps what came back."""

    def __init__(self, source: ModelSource, answers: Answers) -> None:
        self._source, self._answers = source, answers

    def open(self, choice: ModelChoice) -> Model:
        """Make a model ready."""
        return _Heard(self._source.open(choice), choice, self._answers)


class Remembering:
    """Answers as was answered at that time; nobody is asked."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def open(self, choice: ModelChoice) -> Model:
        """Make a model ready."""
        return _Remembered(choice, self._answers)


class _Heard:
    def __init__(self, model: Model, choice: ModelChoice, answers: Answers) -> None:
        self._model, self._choice, self._answers = model, choice, answers

    def complete(self, request: ModelRequest) -> ModelReply:
        place = _place(self._choice, request)
        try:
            reply = self._model.complete(request)
        except ModelFault as fault:
            if fault.kind is not FaultKind.CASSETTE_MISS:
                self._answers.faults[place] = fault
            raise
        self._answers.replies[place] = reply
        return reply


class _Remembered:
    def __init__(self, choice: ModelChoice, answers: Answers) -> None:
        self._choice, self._answers = choice, answers

    def complete(self, request: ModelRequest) -> ModelReply:
        place, answers = _place(self._choice, request), self._answers
        if place in answers.faults:
            answers.found += 1
            raise answers.faults[place]
        reply = answers.replies.get(place)
        if reply is None:
            answers.unknown += 1
            return _NOTHING
        answers.found += 1
        return msgspec.structs.replace(reply, source="replay")


def _place(choice: ModelChoice, request: ModelRequest) -> _Place:
    return choice.trader_id, request.role, request.at_ms, request.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """What is otherwise in one run.

    Attributes:
        label: as it was asked for.
        world: options of the world, `name=value`.
        guards: by the part of a trader, what is set in it.
    """

    label: str
    world: tuple[str, ...] = ()
    guards: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "Other":
        """Read `fees.taker=0.001` or `risk.max_leverage=2`; several are separated by commas.

        Raises:
            ConfigError: it is neither.
        """
        import yaml

        world: list[str] = []
        guards: dict[str, dict[str, Any]] = {}
        for one in filter(None, (part.strip() for part in text.split(","))):
            name, found, value = one.partition("=")
            part, _, rest = name.strip().partition(".")
            if not found:
                raise ConfigError(f"what-if {one[:40]!r} is not name=value")
            if part not in GUARDS:
                world.append(one)
                continue
            if not rest or "." in rest:
                raise ConfigError(f"what-if {one[:40]!r}: write {part}.NAME=value")
            guards.setdefault(part, {})[rest] = yaml.safe_load(value)
        if not (world or guards):
            raise ConfigError(f"what-if {text[:40]!r} is not name=value")
        return cls(label=text.strip(), world=tuple(world), guards=guards)

    def applied(self, trader: TraderSpec) -> TraderSpec:
        """Make a trader with it."""
        changed = {part: getattr(trader, part) | told for part, told in self.guards.items()}
        return msgspec.structs.replace(trader, **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run.

    Attributes:
        label: empty for the first.
        accounts: by name.
        found, unknown: questions that were answered as in the first run, and that it never asked.
    """

    label: str
    accounts: Mapping[str, AccountRecord]
    found: int
    unknown: int


def run_what_if(
    requests: Mapping[str, WorldRequest],
    traders: tuple[TraderSpec, ...],
    others: Sequence[Other],
    *,
    source: MarketSource | Markets,
    tell: Callable[[str], None],
) -> list[Outcome]:
    """Run traders as they are, then with each of the others.

    Args:
        requests: the world by label; that of the first run under the empty one.
        traders: of a file.
        others: what is otherwise.
        source: of the market.
        tell: told what is run.

    Raises:
        BadRequest: no trader asks a model.
        SuiteError: a run cannot be.
    """
    plugins = load_plugins(traders)
    answers, found = Answers(), list[Outcome]()
    with ExitStack() as stack:
        models = models_for(traders, plugins, stack)
        if models is None:
            raise BadRequest("no trader asks a language model: run the backtest twice instead")
        for other in (Other(label=""), *others):
            tell(f"what if {other.label}" if other.label else "as it was")
            answers.found = answers.unknown = 0
            record = run_backtest(
                requests[other.label],
                tuple(map(other.applied, traders)),
                source=source,
                clock=SystemClock(),
                progress=lambda _: None,
                plugins=plugins,
                means=Means(
                    models=Remembering(answers) if other.label else Listening(models, answers)
                ),
            )
            found.append(
                Outcome(
                    label=other.label,
                    accounts={one.account_id: one for one in record.accounts},
                    found=answers.found if other.label else answers.asked,
                    unknown=answers.unknown,
                )
            )
    return found


def table_of(outcomes: Sequence[Outcome], traders: Sequence[TraderSpec]) -> Iterator[str]:
    """Lay the differences out in lines: money in USD, returns in percent."""
    first = outcomes[0]
    for outcome in outcomes:
        if outcome is first:
            yield f"as it was: {first.found} questions asked of models or a cassette"
        else:
            yield ""
            yield (
                f"what if {outcome.label}: no model was asked; {outcome.found} answers as they were"
                f", {outcome.unknown} questions that nobody had asked (answered with nothing)"
            )
        yield (
            f"{'trader':22}{'return %':>10}{'change':>9}{'PnL USD':>12}{'change':>11}"
            f"{'fees USD':>11}{'change':>10}{'fills':>7}{'change':>8}{'clamped':>9}{'rejected':>10}"
        )
        for trader in traders:
            now, then = outcome.accounts[trader.account_id], first.accounts[trader.account_id]
            yield _row(trader.trader_id, _figures(now), _figures(then), is_first=outcome is first)


def _figures(account: AccountRecord) -> dict[str, float]:
    start, end = int(account.equity_usd[0]), int(account.equity_usd[-1])
    guards = account.guards
    return {
        "return": 100 * (end - start) / start,
        "pnl": (end - start) / USD_ONE,
        "fees": sum(fill.fee_usd for fill in account.fills) / USD_ONE,
        "fills": len(account.fills),
        "clamped": sum(guards.clamped.values()) if guards else 0,
        "rejected": sum(guards.rejected.values()) if guards else 0,
    }


def _row(name: str, now: Mapping[str, float], then: Mapping[str, float], *, is_first: bool) -> str:
    def change(figure: str, width: int, digits: int) -> str:
        text = "" if is_first else f"{now[figure] - then[figure]:+,.{digits}f}"
        return f"{text:>{width}}"

    return (
        f"{name[:21]:22}{now['return']:>10.3f}{change('return', 9, 3)}{now['pnl']:>12,.2f}"
        f"{change('pnl', 11, 2)}{now['fees']:>11,.2f}{change('fees', 10, 2)}"
        f"{now['fills']:>7.0f}{change('fills', 8, 0)}{now['clamped']:>9.0f}{now['rejected']:>10.0f}"
    )
