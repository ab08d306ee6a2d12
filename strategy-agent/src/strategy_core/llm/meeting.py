"""`llm_meeting`: roles speak one after the other on one record; the chair ends it with orders."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec

from strategy_core.building import Setup
from strategy_core.exits.invalidation import MINUTES
from strategy_core.llm import sheet
from strategy_core.llm.mind import Asked, LlmTrader
from strategy_core.llm.outside import plain, quoted
from strategy_core.llm.params import LlmParams, choice_of
from strategy_core.llm.port import FaultKind, Message, Model, ModelFault, ModelReply, ModelRequest
from strategy_core.llm.rehearsing import Skipped, trials_of
from strategy_core.llm.template import Known
from strategy_core.llm.templates import MEETINGS
from strategy_core.llm.windows import (
    Planned,
    Ratios,
    follow,
    in_words,
    outcome_in_words,
    outcomes,
    rebased,
    since,
)
from strategy_core.port import Decision, Observation, Worthless
from strategy_core.snapshot import SHOWN_BARS
from suite.bars import INTERVAL_MS
from suite.contracts.clock import Interval

ROLES: Final = ("market_analyst", "technical_analyst", "position_manager", "risk_manager")
"""Those who speak before the chair, in their order."""
CHAIR: Final = "chair"
STATEMENT_CAP: Final = 1_200
STATEMENT_TOKENS: Final = 600
LOOKS_MAX: Final = 5
_SPENT: Final = frozenset({FaultKind.DAY_SPENT, FaultKind.ALL_SPENT})

_RECORD = {"record": "what was said so far, in quotes", "looks": "what earlier lists came to"}
VARIABLES: Final[Mapping[str, Mapping[str, str]]] = {
    **sheet.VARIABLES,
    **dict.fromkeys(ROLES, sheet.VARIABLES["system"]),
    "record": _RECORD,
    "rehearsal": {"results": "what the list would have made of recent windows, a line each"},
}
"""What each section of a meeting's template may name."""


class MeetingParams(LlmParams, frozen=True, kw_only=True):
    """Parameters of `llm`, and who else is asked.

    Attributes:
        roles: models of single roles, `market_analyst`, `technical_analyst`, `position_manager`,
            `risk_manager` or `chair`; `model` for those not named.
        windows: how many recent windows the chair's list is replayed over before it decides; 0 for
            none.
        horizon: length of a window, and time after which a list is looked at.
    """

    template: str = "meeting"
    roles: Mapping[str, str] = msgspec.field(default_factory=dict)
    windows: Annotated[int, msgspec.Meta(ge=0, le=32)] = 8
    horizon: Interval = "4h"

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (*ROLES, CHAIR)
        for role in self.roles:
            if role not in known:
                raise ValueError(f"roles: {role[:24]!r} is not one of {', '.join(known)}")

    def templates(self) -> Mapping[str, str]:
        """Templates by name."""
        return MEETINGS


class LlmMeeting(LlmTrader):
    """Let analysts, a position manager and a risk manager speak, and a chair decide."""

    Params = MeetingParams
    VARIABLES = VARIABLES

    def __init__(self, setup: Setup, params: MeetingParams) -> None:
        super().__init__(setup, params)
        self._meeting = params
        self._bars = INTERVAL_MS[params.horizon] // INTERVAL_MS[self._short]
        if params.windows and not 1 <= self._bars < SHOWN_BARS:
            raise ValueError(
                f"horizon: {params.horizon} is {self._bars} bars of {self._short}, and "
                f"{SHOWN_BARS} are shown; set windows to 0, or another horizon"
            )
        self._seats: dict[str, Model] = {}
        self._minutes: list[dict[str, Any]] = []
        self._engine = ""
        for role in (*ROLES, CHAIR):
            if setup.models is not None:
                named = msgspec.structs.replace(params, model=params.roles.get(role, params.model))
                self._seats[role] = setup.models.open(choice_of(setup, named, role=role))

    def decide(self, observation: Observation) -> Decision:
        """Look what became of earlier lists, then whether to meet."""
        self._look_back(observation)
        return super().decide(observation)

    def _ask(self, seen: Observation, cause: str) -> Asked:
        """Hold a meeting.

        Raises:
            ModelFault: the chair has not answered, or the money is spent.
            Worthless: a replay does not know a question.
        """
        (_, user), known = self.messages(seen, cause)
        record: list[str] = []
        replies: list[ModelReply] = []
        self._minutes = []
        for role in ROLES:
            system = self._template.render(role, sheet.system_values(self._style), seen.now_ms)
            messages = (
                Message("system", system.text),
                Message("user", f"{user.content}\n\n{self._record(record, seen)}"),
            )
            reply = self._hear(role, messages, seen)
            if reply is not None:
                replies.append(reply)
            said = "absent" if reply is None else plain(reply.text, STATEMENT_CAP)
            record.append(f"- {role}: {quoted(said, STATEMENT_CAP)}")
            self._minutes.append(
                {"role": role, "model": "" if reply is None else reply.model, "said": said}
            )
        told = f"{user.content}\n\n{self._record(record, seen)}"
        asked = self._decide_on(told, seen)
        entries = rebased(asked.reading.items, seen.mids)
        if entries and self._meeting.windows:
            engine = [self._replayed(entry, seen) for entry in entries]
            lines = [*(self._rehearsed(entry, seen) for entry in entries), *filter(None, engine)]
            results = "\n".join(f"- {line}" for line in lines)
            again = self._template.render(
                "rehearsal", {"results": Known(results, known.since_ms)}, seen.now_ms
            )
            self._minutes.append({"role": "rehearsal", "said": results, "engine": self._engine})
            first = asked
            asked = self._decide_on(f"{told}\n\n{again.text}", seen)
            replies += first.replies
            entries = rebased(asked.reading.items, seen.mids)
        self._keep(entries, seen)
        return asked._replace(replies=(*replies, *asked.replies))

    def _decide_on(self, told: str, seen: Observation) -> Asked:
        """Let the chair answer in orders."""
        system = self._template.render("system", sheet.system_values(self._style), seen.now_ms)
        messages = (Message("system", system.text), Message("user", told))
        return self._answered(messages, seen, self._seats.get(CHAIR), CHAIR)

    def _hear(
        self, role: str, messages: tuple[Message, ...], seen: Observation
    ) -> ModelReply | None:
        """Let a role speak; None where its model cannot be had."""
        seat = self._seats.get(role)
        if seat is None:
            return None
        request = ModelRequest(
            messages=messages,
            max_output_tokens=min(STATEMENT_TOKENS, self._params.max_output_tokens),
            temperature=self._params.temperature,
            seed=self._params.seed,
            role=role,
            at_ms=seen.now_ms,
        )
        tally = self._memory.tally
        try:
            reply = seat.complete(request)
        except ModelFault as fault:
            if fault.kind is FaultKind.CASSETTE_MISS:
                raise Worthless(str(fault)) from None
            if fault.kind in _SPENT:
                raise
            tally.faults[fault.kind] = tally.faults.get(fault.kind, 0) + 1
            tally.cost_usd += fault.cost_usd
            return None
        tally.cost_usd += reply.cost_usd
        tally.tokens += reply.input_tokens + reply.output_tokens
        return reply

    def _record(self, record: list[str], seen: Observation) -> str:
        values = {
            "record": Known("\n".join(record) or sheet.NONE, seen.now_ms),
            "looks": Known("\n".join(self._memory.looks_back) or sheet.NONE, seen.now_ms),
        }
        return self._template.render("record", values, seen.now_ms).text

    def _rehearsed(self, entry: Ratios, seen: Observation) -> str:
        rows = self._rows(entry.coin, seen)
        found = outcomes(entry, rows, length=self._bars, windows=self._meeting.windows)
        return in_words(entry, found)

    def _replayed(self, entry: Ratios, seen: Observation) -> str:
        """Let an exchange replay an entry in full; empty, and the reason kept, where it cannot."""
        if self._setup.rehearsals is None:
            self._engine = "skipped: BACKTEST_URL is not set"
            return ""
        trials = trials_of(
            entry,
            self._rows(entry.coin, seen),
            self._setup.instruments,
            length=self._bars,
            windows=self._meeting.windows,
        )
        if not trials:
            self._engine = "skipped: too few bars are shown"
            return ""
        try:
            found = self._setup.rehearsals.replay(trials)
        except Skipped as skipped:
            self._engine = f"skipped: {plain(skipped, 300)}"
            return ""
        self._engine = f"replayed {len(trials)} windows of {self._meeting.horizon}"
        return f"on an exchange, with minutes, fees and funding: {in_words(entry, found)}"

    def _rows(self, coin: str, seen: Observation) -> Any:
        blocks = (seen.snapshots.get(coin) or {}).get("intervals_data") or {}
        return (blocks.get(str(MINUTES[self._short])) or {}).get("bars") or ()

    def _keep(self, entries: tuple[Ratios, ...], seen: Observation) -> None:
        """Queue a list, to be looked at when its horizon has passed."""
        if entries:
            until_ms = seen.now_ms + INTERVAL_MS[self._meeting.horizon]
            self._memory.planned.append(
                Planned(at_ms=seen.now_ms, until_ms=until_ms, entries=entries)
            )
            del self._memory.planned[:-LOOKS_MAX]

    def _look_back(self, seen: Observation) -> None:
        """Look at lists whose horizon has passed: what they came to, had they been carried out."""
        for plan in [one for one in self._memory.planned if one.until_ms <= seen.now_ms]:
            self._memory.planned.remove(plan)
            for entry in plan.entries:
                rows = self._rows(entry.coin, seen)
                before = [row for row in rows if row[0] < plan.at_ms]
                during = since(rows, plan.at_ms, plan.until_ms)
                value = follow(entry, before[-1][4], during) if before and during else None
                self._memory.looks_back = (
                    *self._memory.looks_back,
                    f"- after {self._meeting.horizon}, {outcome_in_words(entry, value)}",
                )[-LOOKS_MAX:]

    def _seen(self, seen: Observation) -> dict[str, Any]:
        return {**super()._seen(seen), "meeting": self._minutes}
