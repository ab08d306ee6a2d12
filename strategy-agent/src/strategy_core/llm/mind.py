"""`llm`: ask a language model when something has happened, and carry out what it may do."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from strategy_core.building import Setup
from strategy_core.exits.invalidation import MINUTES
from strategy_core.intents import ExitPlan, Intent
from strategy_core.lattice import exact
from strategy_core.llm.acting import Done, Rules, act_on, cancel_entries, flaw_of
from strategy_core.llm.answer import Flaw, FlawKind, Item, Refused, Signal, schema
from strategy_core.llm.brake import Entry
from strategy_core.llm.learning import learn, note_bars
from strategy_core.llm.memory import MindMemory
from strategy_core.llm.outside import is_coin_name, plain
from strategy_core.llm.params import LlmParams, WhenSpent, choice_of
from strategy_core.llm.port import (
    FaultKind,
    Message,
    Model,
    ModelFault,
    ModelReply,
    ModelRequest,
)
from strategy_core.llm.reading import Reading, read_reply
from strategy_core.llm.sheet import VARIABLES, Style, span, system_values, user_values
from strategy_core.llm.telling import (
    asked_of,
    label_of,
    limits_in_words,
    reasoning_of,
    transcript,
    writable,
)
from strategy_core.llm.template import Known, Template, parse_template
from strategy_core.llm.thought import Basis, Thought
from strategy_core.llm.triggers import causes_of
from strategy_core.port import Decision, Needs, Observation, Worthless
from strategy_core.sizing.targets import market_order
from strategy_core.strategies.sma_cross import SmaCross
from strategy_core.waking import next_boundary_ms
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.contracts.clock import WakeOn
from suite.contracts.venue import PlaceOrder
from suite.enums import TraderStatus
from suite.fixed import USD_ONE

ATTEMPTS: Final = 2
REPLY_SHOWN: Final = 2_000
"""Characters of a reply that could not be read which are shown again."""
RULES_EXPOSURE: Final = 0.5
ONE: Final = Decimal(1)
ENTRIES: Final = {Signal.BUY: 1, Signal.SELL: -1}


class Asked(NamedTuple):
    """A question and what came of it.

    Attributes:
        reading: of the last reply.
        messages: of the last attempt.
        replies: of all attempts.
        flaws: of all attempts.
    """

    reading: Reading
    messages: tuple[Message, ...]
    replies: tuple[ModelReply, ...]
    flaws: tuple[Flaw, ...]


class LlmTrader:
    """Ask a language model for decisions, when something has happened or a heartbeat is due."""

    Params: type[LlmParams] = LlmParams
    VARIABLES: ClassVar[Mapping[str, Mapping[str, str]]] = VARIABLES

    def __init__(self, setup: Setup, params: LlmParams) -> None:
        short = params.short or _name_of(setup.interval_ms)
        for name, interval in (("short", short), ("long", params.long)):
            if interval not in MINUTES:
                known = ", ".join(MINUTES)
                raise ValueError(f"{name}: there are no bars of {interval}; set one of {known}")
        odd = [coin for coin in setup.symbols if not is_coin_name(coin)]
        if odd:
            raise ValueError(f"the name {odd[0][:24]!r} is not fit for a prompt")
        self._setup, self._params = setup, params
        self._short = short
        self._template: Template = parse_template(params.template_text(), self.VARIABLES)
        self._style = Style(
            coins=setup.symbols,
            short=short,
            long=params.long,
            heartbeat_ms=INTERVAL_MS[params.heartbeat],
            limits=limits_in_words(setup),
            stop_rule="An entry needs a stop_loss." if params.require_stop else "Both may be null.",
        )
        self._rules = Rules(
            require_stop=params.require_stop,
            valid_ms=params.valid_minutes * MINUTE_MS or INTERVAL_MS[params.heartbeat],
        )
        self._schema = schema(setup.symbols, notes=self._template.names("user", "notes"))
        self._memory = MindMemory()
        self._fallback: SmaCross | None = None
        self._model: Model | None = None
        if setup.models is not None:
            self._model = setup.models.open(choice_of(setup, params))
        rule = params.triggers.compiled
        read = {MINUTES[short], MINUTES[params.long]} | {
            int(minutes) for minutes in (rule.minutes if rule else ())
        }
        self.needs = Needs(
            snapshots=setup.symbols, intervals=tuple(map(str, sorted(read))), slow=True
        )

    @property
    def template(self) -> Template:
        """Of its prompts."""
        return self._template

    @property
    def memory(self) -> MindMemory:
        """What it keeps; to be read only."""
        return self._memory

    def remember(self) -> MindMemory:
        """Tell what it has written down, wants and has counted."""
        return self._memory

    def recall(self, state: Any) -> None:
        """Take it back."""
        self._memory = msgspec.convert(state, MindMemory)

    def decide(self, observation: Observation) -> Decision:
        """Look whether something has happened; ask the model if so."""
        memory, seen = self._memory, observation
        if not memory.began_ms:
            memory.began_ms, memory.start_equity = seen.now_ms, seen.equity
        news = learn(memory, seen, self._setup.interval_ms)
        memory.tally.looks += seen.now_ms % self._setup.interval_ms == 0
        causes = causes_of(
            self._params.triggers, news, memory, coins=self._setup.symbols, short=self._short
        )
        note_bars(memory, seen, self._setup.symbols, (self._short, self._params.long))
        memory.pending = list(dict.fromkeys((*memory.pending, *causes)))
        given_up = self._given_up(seen)
        why_not = self._why_not(seen)
        if why_not:
            return self._decision(seen, given_up, reasoning=why_not)
        cause = ", ".join(self._causes(seen))
        try:
            asked = self._ask(seen, cause)
        except ModelFault as fault:
            return self._without(seen, given_up, fault, cause)
        head = cause.partition(":")[0].partition(",")[0]
        memory.tally.calls[head] = memory.tally.calls.get(head, 0) + 1
        memory.asked_ms, memory.pending = seen.now_ms, []
        return self._carry_out(seen, given_up, asked, cause)

    def messages(self, seen: Observation, cause: str) -> tuple[tuple[Message, ...], Known]:
        """Put a question together.

        Returns:
            Its messages, and the last of them with the time since which all of it is known.

        Raises:
            FutureSeen: it would show something before that is known.
        """
        now_ms = seen.now_ms
        system = self._template.render("system", system_values(self._style), now_ms)
        values = user_values(self._template, self._style, seen, self._memory, cause)
        user = self._template.render("user", values, now_ms)
        return (Message("system", system.text), Message("user", user.text)), user

    def _causes(self, seen: Observation) -> list[str]:
        """Why it is asked; empty where there is no reason."""
        memory = self._memory
        if not memory.asked_ms:
            return ["start", *memory.pending]
        due = seen.now_ms - memory.asked_ms >= INTERVAL_MS[self._params.heartbeat]
        return [*memory.pending, *(("heartbeat",) if due else ())]

    def _why_not(self, seen: Observation) -> str:
        """Say why the model is not asked now; empty where it is."""
        memory = self._memory
        if not self._causes(seen):
            return "not asked: nothing has happened"
        quiet_ms = self._params.quiet_minutes * MINUTE_MS
        if memory.asked_ms and seen.now_ms - memory.asked_ms < quiet_ms:
            return f"not asked yet: {', '.join(memory.pending)}"
        if seen.status is not TraderStatus.LIVE and not seen.positions:
            return f"not asked: {seen.status}, and there is nothing to close"
        return ""

    def _ask(self, seen: Observation, cause: str) -> Asked:
        """Ask the model, and once more where its answer cannot be used.

        Raises:
            ModelFault: there is no reply.
            Worthless: a replay does not know the question.
        """
        messages, _ = self.messages(seen, cause)
        return self._answered(messages, seen, self._model)

    def _answered(
        self,
        messages: tuple[Message, ...],
        seen: Observation,
        model: Model | None,
        role: str = "trader",
    ) -> Asked:
        """Get decisions from a model, by a second attempt where the first cannot be used."""
        if model is None:
            raise ModelFault(FaultKind.REFUSED, "this trader was built to be looked at only")
        memory = self._memory
        replies: list[ModelReply] = []
        flaws: list[Flaw] = []
        while True:
            try:
                reply = model.complete(self._request(messages, seen, len(replies) + 1, role))
            except ModelFault as fault:
                if fault.kind is FaultKind.CASSETTE_MISS:
                    raise Worthless(f"{fault}") from None
                raise
            memory.tally.cost_usd += reply.cost_usd
            memory.tally.tokens += reply.input_tokens + reply.output_tokens
            replies.append(reply)
            reading = read_reply(reply, self._setup.symbols)
            flaws += reading.flaws
            for flaw in reading.flaws:
                memory.tally.flaws[flaw.kind] = memory.tally.flaws.get(flaw.kind, 0) + 1
            if not reading.is_useless or len(replies) == ATTEMPTS:
                break
            memory.tally.retries += 1
            messages = self._again(messages, reply, reading, seen.now_ms)
        if reading.notes is not None:
            memory.notes = reading.notes
        return Asked(reading, messages, tuple(replies), tuple(flaws))

    def _request(
        self, messages: tuple[Message, ...], seen: Observation, attempt: int, role: str
    ) -> ModelRequest:
        return ModelRequest(
            messages=messages,
            schema=self._schema,
            max_output_tokens=self._params.max_output_tokens,
            temperature=self._params.temperature,
            seed=self._params.seed,
            role=role,
            attempt=attempt,
            at_ms=seen.now_ms,
        )

    def _again(
        self, messages: tuple[Message, ...], reply: ModelReply, reading: Reading, now_ms: int
    ) -> tuple[Message, ...]:
        problems = "; ".join(map(str, reading.flaws[:5]))
        again = self._template.render("again", {"problems": Known(problems)}, now_ms)
        said = writable(reply.text[:REPLY_SHOWN]).strip() or "(nothing)"
        return (*messages, Message("assistant", said), Message("user", again.text))

    def _carry_out(
        self, seen: Observation, given_up: tuple[Intent, ...], asked: Asked, cause: str
    ) -> Decision:
        """Turn what was read into orders; what cannot be done is told at the next question."""
        actions: list[Intent] = []
        plans: list[ExitPlan] = []
        flaws = list(asked.flaws)
        told: list[dict[str, Any]] = []
        for item in asked.reading.items:
            try:
                done = act_on(item, seen, self._setup.instruments, self._memory.ideas, self._rules)
                self._brake(item, done, seen)
            except Refused as refused:
                flaw = flaw_of(item, refused)
                flaws.append(flaw)
                kinds = self._memory.tally.flaws
                kinds[flaw.kind] = kinds.get(flaw.kind, 0) + 1
                told.append({**asked_of(item), "flaw": f"{flaw.kind}: {flaw.text}"})
                continue
            first = len(given_up) + len(actions)
            actions += done.actions
            plans += [done.plan] if done.plan is not None else []
            if done.idea is not None:
                self._memory.ideas[item.coin] = done.idea
            orders = list(range(first, first + len(done.actions)))
            told.append({**asked_of(item), "actions": orders})
        self._memory.said = tuple(f"- {flaw}" for flaw in flaws[-8:])
        self._memory.verdicts, self._memory.verdicts_ms = self._memory.said, seen.now_ms
        last = asked.replies[-1]
        wrong = bool(told or asked.reading.flaws) and all("flaw" in one for one in told)
        thought = Thought(
            cause=cause,
            prompt=transcript(asked.messages),
            reply=writable(last.text),
            thinking=writable(last.thinking or asked.reading.thinking),
            trace={**self._seen(seen), "decisions": told},
            model=last.model,
            template=str(self._template),
            llm_cost_usd=Decimal(sum(reply.cost_usd for reply in asked.replies)) / USD_ONE,
            tokens=sum(reply.input_tokens + reply.output_tokens for reply in asked.replies),
            latency_ms=sum(reply.latency_ms for reply in asked.replies),
            source=last.source,
            calls=len(asked.replies),
            after_cutoff=self._params.is_after_cutoff(self._memory.began_ms),
            flaws=tuple(map(str, flaws)),
            unusable=", ".join(dict.fromkeys(flaw.kind for flaw in flaws)) if wrong else "",
            brake=self._memory.drift.holds(seen.now_ms),
        )
        return self._decision(
            seen,
            (*given_up, *actions),
            plans=tuple(plans),
            reasoning=reasoning_of(asked.reading.items, flaws),
            thought=thought,
        )

    def _brake(self, item: Item, done: Done, seen: Observation) -> None:
        """Hold back an entry of a model that drifts.

        Raises:
            Refused: it does.
        """
        if item.signal not in ENTRIES:
            return
        order = next(one for one in done.actions if isinstance(one, PlaceOrder))
        price = order.limit_px or seen.mids[order.coin]
        share = order.sz * price / max(seen.capital, ONE)
        entry = Entry(at_ms=seen.now_ms, coin=order.coin, side=ENTRIES[item.signal], share=share)
        why = self._memory.drift.take(entry, self._params.brake)
        if why:
            until = span(self._memory.drift.until_ms - seen.now_ms)
            raise Refused(FlawKind.BRAKED, f"{why}; nothing is opened for {until}")

    def _without(
        self, seen: Observation, given_up: tuple[Intent, ...], fault: ModelFault, cause: str
    ) -> Decision:
        """Go on without a reply: hold, or where the money is spent what was agreed on."""
        memory, params = self._memory, self._params
        memory.tally.faults[fault.kind] = memory.tally.faults.get(fault.kind, 0) + 1
        memory.tally.cost_usd += fault.cost_usd
        memory.tally.tokens += fault.tokens
        thought = Thought(
            cause=cause,
            template=str(self._template),
            trace=self._seen(seen),
            fault=plain(fault, 400),
            llm_cost_usd=Decimal(fault.cost_usd) / USD_ONE,
            tokens=fault.tokens,
            brake=memory.drift.holds(seen.now_ms),
        )
        what: WhenSpent = "hold"
        if fault.kind is FaultKind.DAY_SPENT:
            what = params.when_day_spent
        elif fault.kind is FaultKind.ALL_SPENT:
            what = params.when_all_spent
        reasoning = f"{'held' if what == 'hold' else what}: {plain(fault, 400)}"
        if what == "rules":
            followed = self._rule_trader().decide(seen)
            actions = (*given_up, *followed.actions)
            return self._decision(seen, actions, reasoning=reasoning, thought=thought)
        if what == "flat":
            given_up = (*given_up, *self._flat(seen))
        return self._decision(seen, given_up, reasoning=reasoning, thought=thought)

    def _decision(
        self,
        seen: Observation,
        actions: Sequence[Intent],
        *,
        reasoning: str,
        plans: tuple[ExitPlan, ...] = (),
        thought: Thought | None = None,
    ) -> Decision:
        self._memory.labels = tuple(map(label_of, actions))
        waits = [idea.until_ms for idea in self._memory.ideas.values()]
        wake = next_boundary_ms(seen.now_ms, self._setup.interval_ms)
        until = min((at for at in waits if at > seen.now_ms), default=wake)
        return Decision(
            actions=tuple(actions),
            reasoning=reasoning,
            plans=plans,
            until_ms=min(until, wake),
            wake_on=WakeOn(fill=self._params.triggers.fill, liquidation=True),
            basis=Basis(
                until_ms=seen.now_ms + int(self._params.late_s * 1000),
                tolerance=exact(self._params.tolerance),
                prices={coin: seen.mids[coin] for coin in self._setup.symbols if coin in seen.mids},
                sizes={coin: held.size for coin, held in seen.positions.items()},
            ),
            thought=thought,
        )

    def _given_up(self, seen: Observation) -> tuple[Intent, ...]:
        """Take down entries that have rested for as long as they were to."""
        return tuple(
            cancel
            for coin, idea in self._memory.ideas.items()
            if seen.now_ms >= idea.until_ms
            for cancel in cancel_entries(seen, coin)
        )

    def _flat(self, seen: Observation) -> Iterator[Intent]:
        for coin in self._setup.symbols:
            yield from cancel_entries(seen, coin)
            if held := seen.size_of(coin):
                yield market_order(coin, -held, reduce_only=True)

    def _rule_trader(self) -> SmaCross:
        """Make the trader that follows rules in this one's place."""
        if self._fallback is None:
            rules = SmaCross.Params(
                minutes=MINUTES[self._short], exposure=RULES_EXPOSURE, stop_loss=0.03
            )
            self._fallback = SmaCross(self._setup, rules)
        return self._fallback

    def _seen(self, seen: Observation) -> dict[str, Any]:
        """What it was asked about, for the trace."""
        bars: dict[str, Any] = {}
        for coin in self._setup.symbols:
            blocks = (seen.snapshots.get(coin) or {}).get("intervals_data") or {}
            bars[coin] = {
                name: {"open_time_ms": block["open_time_ms"], "close": block["close"]}
                for name in (self._short, self._params.long)
                if (block := blocks.get(str(MINUTES[name]))) and block["open_time_ms"] is not None
            }
        prices = {coin: f"{seen.mids[coin]:f}" for coin in self._setup.symbols if coin in seen.mids}
        return {"woke_by": list(seen.woke_by), "bars": bars, "prices": prices}


def _name_of(interval_ms: int) -> str:
    return next(name for name, length_ms in INTERVAL_MS.items() if length_ms == interval_ms)
