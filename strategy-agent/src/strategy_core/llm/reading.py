"""From what a model wrote to decisions: JSON is found wherever it stands, and then read strictly.

Around the JSON anything may stand: prose in any language, fences, thoughts. Within it nothing is
mended: no missing bracket, no stray comma, no text for a number. Whatever comes, the outcome is a
`Reading`, and each thing wrong with it is a `Flaw` of a kind that is counted.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from strategy_core.llm.answer import (
    DECISIONS_MAX,
    Flaw,
    FlawKind,
    Item,
    Refused,
    read_item,
    read_notes,
)
from strategy_core.llm.outside import plain, quoted
from strategy_core.llm.port import ModelReply

LENGTH_MAX: Final = 64 * 1024
"""Characters of a reply that is read at all."""
DEPTH_MAX: Final = 16
SPANS_MAX: Final = 64
"""Places at which JSON may begin that are looked at."""

_THOUGHT: Final = re.compile(
    r"<(think|thinking|reasoning)>(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE
)
_ENVELOPE: Final = frozenset({"decisions", "notes"})
_MEANT: Final = _ENVELOPE | {"coin", "signal"}
"""Names by which an answer is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A reply, read.

    Attributes:
        items: decisions that can be read, each coin once.
        notes: to be remembered in place of the old ones; None where it said nothing of them.
        flaws: whatever is wrong.
        thinking: thoughts that stood in the text.
    """

    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] | None = None
    flaws: tuple[Flaw, ...] = ()
    thinking: str = ""

    @property
    def is_useless(self) -> bool:
        """Nothing can be taken from it, and something is wrong: worth asking once more."""
        return bool(self.flaws) and not self.items


def read_reply(reply: ModelReply, coins: Sequence[str]) -> Reading:
    """Read a reply.

    Args:
        reply: whatever came.
        coins: that may be named.
    """
    if reply.finish == "refused":
        return _flawed(FlawKind.REFUSED, f"the model declined: {quoted(reply.text, 160)}")
    text, thinking = _without_thoughts(reply.text[: LENGTH_MAX + 1])
    try:
        raw = _answer_in(text, whole=len(reply.text) <= LENGTH_MAX)
    except Refused as refused:
        cut = reply.finish == "length" and refused.kind is not FlawKind.TOO_LONG
        kind = FlawKind.CUT_OFF if cut else refused.kind
        why = "the answer was cut: write less" if cut else refused.text
        return Reading(flaws=(Flaw(kind=kind, text=why),), thinking=thinking)
    return _read(raw, coins, thinking)


def _read(raw: object, coins: Sequence[str], thinking: str) -> Reading:
    """Read an answer's decisions, each on its own."""
    flaws: list[Flaw] = []
    notes: tuple[str, ...] | None = None
    listed: object = raw
    if isinstance(raw, dict):
        listed = [raw]
        if _ENVELOPE & raw.keys():
            notes = _read_envelope(raw, flaws)
            listed = [] if raw.get("decisions") is None else raw["decisions"]
    if not isinstance(listed, list):
        flaws.append(Flaw(kind=FlawKind.WRONG_SHAPE, text="decisions is a list of objects"))
        return Reading(flaws=tuple(flaws), thinking=thinking)
    if len(listed) > DECISIONS_MAX:
        flaws.append(
            Flaw(kind=FlawKind.TOO_MANY, text=f"{len(listed)} decisions, at most {DECISIONS_MAX}")
        )
        return Reading(flaws=tuple(flaws), thinking=thinking)
    items: dict[str, Item] = {}
    for place, one in enumerate(listed):
        try:
            item = read_item(one, place, coins)
        except Refused as refused:
            flaws.append(Flaw(kind=refused.kind, text=refused.text, item=place))
            continue
        if item.coin in items:
            text = f"{item.coin} has a decision already"
            flaws.append(Flaw(kind=FlawKind.COIN_TWICE, text=text, item=place))
        items.setdefault(item.coin, item)
    return Reading(items=tuple(items.values()), notes=notes, flaws=tuple(flaws), thinking=thinking)


def _read_envelope(raw: dict[str, Any], flaws: list[Flaw]) -> tuple[str, ...] | None:
    """Read what stands beside the decisions; what is wrong with it is added to the flaws."""
    flaws += [
        Flaw(kind=FlawKind.UNKNOWN_FIELD, text=f"there is no field {quoted(key, 40)}")
        for key in sorted(raw.keys() - _ENVELOPE)[:5]
    ]
    if raw.get("notes") is None:
        return None
    try:
        return read_notes(raw["notes"])
    except Refused as refused:
        flaws.append(Flaw(kind=refused.kind, text=refused.text))
    return None


def _without_thoughts(text: str) -> tuple[str, str]:
    """Take thoughts aloud out of a text."""
    thoughts = [match[2].strip() for match in _THOUGHT.finditer(text)]
    return _THOUGHT.sub("\n", text), "\n".join(thought for thought in thoughts if thought)


def _answer_in(text: str, *, whole: bool) -> Any:
    """Find the one answer in a text.

    Raises:
        Refused: there is none, or there are several that differ.
    """
    if not whole:
        raise Refused(FlawKind.TOO_LONG, f"an answer has at most {LENGTH_MAX} characters")
    if not text.strip():
        raise Refused(FlawKind.EMPTY, "there is no answer")
    found: list[Any] = []
    nothing = False
    wrong: Refused | None = None
    for span in _spans(text):
        try:
            value = _decode(span)
        except Refused as refused:
            wrong = wrong or refused
            continue
        nothing |= value == []
        if _looks_like_answer(value) and value not in found:
            found.append(value)
    if len(found) > 1:
        raise Refused(FlawKind.SEVERAL_ANSWERS, "there are several answers that differ: give one")
    if found:
        return found[0]
    if wrong is not None:
        raise wrong
    if nothing:
        return []
    shown = quoted(text, 60)
    if "{" in text or "[" in text:
        raise Refused(FlawKind.WRONG_SHAPE, f"there are no decisions in {shown}")
    raise Refused(FlawKind.NO_JSON, f"there is no JSON in {shown}")


def _looks_like_answer(value: Any) -> bool:
    """Whether JSON is meant as an answer, and not as something in passing, as `{"rsi": 71}`."""
    if isinstance(value, list):
        return any(isinstance(one, dict) and _MEANT & one.keys() for one in value)
    return isinstance(value, dict) and bool(_MEANT & value.keys())


def _spans(text: str) -> Iterator[str]:
    """Parts of a text that begin and end with brackets which belong together.

    Brackets within strings do not count. A part that never ends goes to the end of the text.
    """
    place, count = 0, 0
    while count < SPANS_MAX:
        starts = [at for at in (text.find("{", place), text.find("[", place)) if at >= 0]
        if not starts:
            return
        start = min(starts)
        end = _end_of(text, start)
        count += 1
        if end is None:
            yield text[start:]
            return
        yield text[start:end]
        place = end


def _end_of(text: str, start: int) -> int | None:
    """Find the end of the brackets that open at a place."""
    depth, quoted, at = 0, False, start
    while at < len(text):
        sign = text[at]
        if quoted:
            if sign == "\\":
                at += 1
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign in "{[":
            depth += 1
        elif sign in "}]":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    return None


def _decode(text: str) -> Any:
    """Decode strict JSON: no name twice, no NaN, numbers exact.

    Raises:
        Refused: it is none.
    """
    try:
        value = json.loads(
            text,
            parse_float=_decimal,
            parse_int=_decimal,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise Refused(
            FlawKind.BAD_JSON, f"no JSON from character {error.pos} on: {error.msg}"
        ) from None
    except RecursionError:
        raise Refused(FlawKind.TOO_DEEP, f"brackets within brackets, at most {DEPTH_MAX}") from None
    if _depth(value) > DEPTH_MAX:
        raise Refused(FlawKind.TOO_DEEP, f"brackets within brackets, at most {DEPTH_MAX}")
    return value


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise Refused(FlawKind.NO_NUMBER, f"{plain(text, 24)} is beyond any number") from None


def _constant(text: str) -> Any:
    raise Refused(FlawKind.NO_NUMBER, f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(FlawKind.TWICE_NAMED, f"{quoted(twice, 40)} stands twice in an object")
    return made


def _depth(value: Any, depth: int = 1) -> int:
    if depth > DEPTH_MAX:
        return depth
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return depth
    return max((_depth(one, depth + 1) for one in value), default=depth)


def _flawed(kind: FlawKind, text: str) -> Reading:
    return Reading(flaws=(Flaw(kind=kind, text=text),))
