"""A small language for "this idea is wrong when", read once and checked by machine.

    close(4h) < 2710 and macd_hist(4h) <= 0
    price > 105.5 or not (rsi_14(15m) >= 30 and ema_9(1h) > ema_50(1h))

    rule       := all ("or" all)*
    all        := term ("and" term)*
    term       := "not" term | "(" rule ")" | comparison
    comparison := operand ("<" | "<=" | ">" | ">=" | "==" | "!=") operand
    operand    := number | "price" | field "(" interval ")"

`price`, or `mark`, is the price now; a field is a number of the last closed bar of an interval, or
an indicator of it, as the market-data snapshot names them. Nothing is evaluated but comparisons. A
rule is true, false or, where a number is missing or a bar too old, unknown; unknown never fires.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Literal, NoReturn, TypeAlias, cast, get_args

from strategy_core.indicators import FIELDS
from strategy_core.snapshot import INTERVALS
from suite.bars import INTERVAL_MS, MINUTE_MS
from suite.contracts.clock import Interval
from suite.contracts.trader import near
from suite.fixed import DIGITS_MAX, is_decimal
from suite.klines import COLUMNS

LENGTH_MAX: Final = 500
"""Characters of a rule."""
DEPTH_MAX: Final = 12
"""Parentheses and negations within one another."""
COMPARISONS_MAX: Final = 32
OLD_AFTER_BARS: Final = 2
"""A bar that closed longer ago than this many of its intervals says nothing about now."""

PRICE: Final = "price"
FIELD_NAMES: Final = (*COLUMNS[1:], *FIELDS)
"""Numbers of a closed bar, as a snapshot's block names them."""
MINUTES: Final[Mapping[str, int]] = {
    name: length // MINUTE_MS
    for name, length in INTERVAL_MS.items()
    if length // MINUTE_MS in INTERVALS
}
"""Intervals that a snapshot has, by their name in a rule."""

Operator = Literal["<", "<=", ">", ">=", "==", "!="]
Way = Literal["above", "below"]
"""Where the price has to go."""
Truth: TypeAlias = bool | None
"""None is unknown."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Field:
    """A number of the market.

    Attributes:
        name: `price`, or one of `FIELD_NAMES`.
        interval: name of the bar's interval; empty for the price.
    """

    name: str
    interval: str = ""


Operand: TypeAlias = Number | Field


@dataclass(frozen=True, slots=True)
class Compare:
    """Two operands compared."""

    left: Operand
    operator: Operator
    right: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a rule."""

    rule: "Rule"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Two or more rules that must all be true."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Two or more rules of which one must be true."""

    rules: tuple["Rule", ...]


Rule: TypeAlias = Compare | Not | AllOf | AnyOf
ValueOf: TypeAlias = Callable[[Field], Decimal | None]
"""Looks a number up; None where it is not known."""

THE_PRICE: Final = Field(PRICE)
OPPOSITE: Final[Mapping[Operator, Operator]] = {
    "<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==",
}  # fmt: skip
MIRRORED: Final[Mapping[Operator, Operator]] = {
    "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=",
}  # fmt: skip


class InvalidRule(ValueError):
    """A text that is no rule; the message names the column and what was expected there."""


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Raises:
        InvalidRule: it is none, or it is longer or deeper than allowed.
    """
    if len(text) > LENGTH_MAX:
        raise InvalidRule(f"column {LENGTH_MAX + 1}: a rule has at most {LENGTH_MAX} characters")
    parser = _Parser(text)
    rule = parser.rule(0)
    parser.end()
    return rule


def render_rule(rule: Rule) -> str:
    """Write a rule so that reading it again gives the same rule."""
    match rule:
        case Compare():
            return f"{_operand(rule.left)} {rule.operator} {_operand(rule.right)}"
        case Not():
            return f"not {_within(rule.rule)}"
        case AllOf():
            return " and ".join(map(_within, rule.rules))
        case AnyOf():
            return " or ".join(
                render_rule(part) if isinstance(part, AllOf) else _within(part)
                for part in rule.rules
            )


def evaluate_rule(rule: Rule, value_of: ValueOf) -> Truth:
    """Judge a rule, in Kleene's logic: a known part decides where it can, else all is unknown."""
    match rule:
        case Compare():
            left, right = _value(rule.left, value_of), _value(rule.right, value_of)
            return None if left is None or right is None else holds(left, rule.operator, right)
        case Not():
            truth = evaluate_rule(rule.rule, value_of)
            return None if truth is None else not truth
        case AllOf():
            truths = [evaluate_rule(part, value_of) for part in rule.rules]
            return False if False in truths else None if None in truths else True
        case AnyOf():
            truths = [evaluate_rule(part, value_of) for part in rule.rules]
            return True if True in truths else None if None in truths else False


def holds(left: Decimal, operator: Operator, right: Decimal) -> bool:
    """Compare two numbers."""
    match operator:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "==":
            return left == right
        case "!=":
            return left != right


@dataclass(frozen=True, slots=True, kw_only=True)
class Invalidation:
    """A rule with what it takes to watch it.

    Attributes:
        text: the rule, written anew.
        rule: read from it.
        intervals: names of the intervals it reads, shortest first.
    """

    text: str
    rule: Rule
    intervals: tuple[Interval, ...]

    @property
    def minutes(self) -> tuple[str, ...]:
        """Its intervals, as a market-data snapshot is asked for them."""
        return tuple(str(MINUTES[name]) for name in self.intervals)

    @property
    def bar(self) -> Interval | None:
        """Bars at whose close it has to be judged; None where it reads the price alone.

        Those of its shortest interval: their closes are also those of the longer ones.
        """
        return self.intervals[0] if self.intervals else None

    def crossings(self, value_of: ValueOf) -> tuple[tuple[Way, Decimal], ...]:
        """Prices at which the rule could come true before the next bar closes.

        A comparison of the price that holds already needs no crossing: what still keeps the rule
        from being true is something else.

        Args:
            value_of: what is known now.

        Returns:
            Directions and prices, USD, each once, in the order of the rule.
        """
        found: dict[tuple[Way, Decimal], None] = {}
        for comparison in _comparisons(self.rule, positive=True):
            sides = (comparison.left, comparison.right)
            if THE_PRICE not in sides:
                continue
            on_left = sides[0] == THE_PRICE
            operator = comparison.operator if on_left else MIRRORED[comparison.operator]
            level = _value(sides[1] if on_left else sides[0], value_of)
            price = value_of(THE_PRICE)
            if level is None or (price is not None and holds(price, operator, level)):
                continue
            for way in _ways(operator, price, level):
                found[way, level] = None
        return tuple(found)


@lru_cache(maxsize=1024)  # a position's rule is asked for at every review
def compile_rule(text: str) -> Invalidation:
    """Read a rule and find out what watching it takes.

    Raises:
        InvalidRule: as for `parse_rule`.
    """
    rule = parse_rule(text)
    read = {
        operand.interval
        for comparison in _comparisons(rule, positive=True)
        for operand in (comparison.left, comparison.right)
        if isinstance(operand, Field) and operand.interval
    }
    intervals = tuple(cast("Interval", name) for name in MINUTES if name in read)
    return Invalidation(text=render_rule(rule), rule=rule, intervals=intervals)


def reader(snapshot: Mapping[str, Any] | None, price: Decimal | None, now_ms: int) -> ValueOf:
    """Make the look-up of one coin's numbers.

    Args:
        snapshot: market data of the coin, None where there is none.
        price: now, USD.
        now_ms: the time; a bar that closed more than two of its intervals ago is not read.
    """

    def value_of(field: Field) -> Decimal | None:
        if field.name == PRICE:
            return price
        minutes = MINUTES[field.interval]
        block = snapshot["intervals_data"].get(str(minutes)) if snapshot else None
        value = block.get(field.name) if block else None
        if value is None or block is None:
            return None
        length = minutes * MINUTE_MS
        if now_ms - (block["open_time_ms"] + length) > OLD_AFTER_BARS * length:
            return None
        return Decimal(repr(value))

    return value_of


def _comparisons(rule: Rule, *, positive: bool) -> Iterator[Compare]:
    """List the comparisons of a rule, each turned so that its truth helps the rule to be true."""
    match rule:
        case Compare():
            operator = rule.operator if positive else OPPOSITE[rule.operator]
            yield Compare(rule.left, operator, rule.right)
        case Not():
            yield from _comparisons(rule.rule, positive=not positive)
        case AllOf() | AnyOf():
            for part in rule.rules:
                yield from _comparisons(part, positive=positive)


def _ways(operator: Operator, price: Decimal | None, level: Decimal) -> Iterator[Way]:
    """Say from which side a comparison of the price, on its left, that fails can come true."""
    equal = operator == "=="
    if operator in {"<", "<=", "!="} or (equal and (price is None or price > level)):
        yield "below"
    if operator in {">", ">=", "!="} or (equal and (price is None or price < level)):
        yield "above"


def _value(operand: Operand, value_of: ValueOf) -> Decimal | None:
    return operand.value if isinstance(operand, Number) else value_of(operand)


def _operand(operand: Operand) -> str:
    if isinstance(operand, Number):
        return f"{operand.value:f}"
    return f"{operand.name}({operand.interval})" if operand.interval else operand.name


def _within(rule: Rule) -> str:
    """Write a part of a rule, in parentheses where it has parts itself."""
    text = render_rule(rule)
    return f"({text})" if isinstance(rule, AllOf | AnyOf) else text


_TOKEN = re.compile(
    r"\s*(?:(?P<op><=|>=|==|!=|<|>)|(?P<mark>[()])"
    r"|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![A-Za-z0-9_.]))"
    r"|(?P<word>[A-Za-z0-9_.]+))",
    re.ASCII,
)
_WORDS: Final = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    column: int

    def __str__(self) -> str:
        return f"{self.text[:20]!r}" if self.text else "the end"


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._comparisons = 0

    def rule(self, depth: int) -> Rule:
        """Read alternatives."""
        parts = [self._all(depth)]
        while self._take("or"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._token.text:
            self._fail("'and', 'or' or the end")

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _all(self, depth: int) -> Rule:
        parts = [self._term(depth)]
        while self._take("and"):
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _term(self, depth: int) -> Rule:
        if depth > DEPTH_MAX:
            raise InvalidRule(
                f"column {self._token.column}: at most {DEPTH_MAX} parentheses and negations"
                " may stand within one another"
            )
        if self._take("not"):
            return Not(self._term(depth + 1))
        if self._take("("):
            inner = self.rule(depth + 1)
            if not self._take(")"):
                self._fail("')', 'and' or 'or'")
            return inner
        return self._comparison()

    def _comparison(self) -> Compare:
        first = self._token
        left = self._operand()
        operator = self._token.text
        if operator not in get_args(Operator):
            self._fail("one of < <= > >= == !=")
        self._next += 1
        right = self._operand()
        if isinstance(left, Number) and isinstance(right, Number):
            raise InvalidRule(f"column {first.column}: two numbers are compared, neither changes")
        if left == right:
            raise InvalidRule(f"column {first.column}: {_operand(left)} is compared with itself")
        self._comparisons += 1
        if self._comparisons > COMPARISONS_MAX:
            raise InvalidRule(
                f"column {first.column}: a rule has at most {COMPARISONS_MAX} comparisons"
            )
        return Compare(left, cast("Operator", operator), right)

    def _operand(self) -> Operand:
        token = self._token
        name = token.text.lower()
        if not name or name in _WORDS or not _is_atom(name):
            self._fail("a number, price or a field such as close(4h)")
        self._next += 1
        if is_decimal(token.text):
            return Number(self._number(token))
        if name in {PRICE, "mark"}:
            return THE_PRICE
        if name not in FIELD_NAMES:
            hint = near(name, FIELD_NAMES) or f"; there are price, {', '.join(FIELD_NAMES)}"
            raise InvalidRule(f"column {token.column}: unknown field {token}{hint}")
        return Field(name, self._interval(name))

    def _number(self, token: _Token) -> Decimal:
        number = Decimal(token.text)
        if number and abs(number.adjusted()) > DIGITS_MAX:
            raise InvalidRule(f"column {token.column}: {token} is beyond any price")
        return number

    def _interval(self, name: str) -> str:
        if not self._take("("):
            self._fail(f"an interval, as in {name}(4h)")
        token = self._token
        if token.text not in MINUTES:
            self._fail(f"an interval, one of {', '.join(MINUTES)}")
        self._next += 1
        if not self._take(")"):
            self._fail("')'")
        return token.text

    def _take(self, word: str) -> bool:
        found = self._token.text.lower() == word
        self._next += found
        return found

    def _fail(self, expected: str) -> NoReturn:
        token = self._token
        raise InvalidRule(f"column {token.column}: expected {expected}, found {token}")


def _is_atom(text: str) -> bool:
    return text[0] in "-._" or text[0].isalnum()


def _tokens(text: str) -> list[_Token]:
    """Split a text; the last token is empty and stands behind the end."""
    tokens: list[_Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            hint = ", did you mean ==?" if text[start] == "=" else ""
            raise InvalidRule(f"column {start + 1}: {text[start]!r} has no meaning here{hint}")
        found = match[match.lastgroup or 0]
        tokens.append(_Token(found, match.end() - len(found) + 1))
        at = match.end()
    tokens.append(_Token("", end + 1))
    return tokens
