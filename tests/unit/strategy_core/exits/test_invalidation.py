"""The rule language: what it reads, what it says about mistakes, and when it fires."""

from collections.abc import Callable
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_core.exits.invalidation import (
    COMPARISONS_MAX,
    DEPTH_MAX,
    FIELD_NAMES,
    MINUTES,
    THE_PRICE,
    AllOf,
    AnyOf,
    Compare,
    Field,
    InvalidRule,
    Not,
    Number,
    Operand,
    Operator,
    Rule,
    Truth,
    compile_rule,
    evaluate_rule,
    parse_rule,
    reader,
    render_rule,
)
from suite.bars import HOUR_MS

NOW_MS = 1_746_403_200_000


def value_of(**known: float | None) -> Callable[[Field], Decimal | None]:
    """Numbers by name, `close_4h` for `close(4h)`."""

    def look(field: Field) -> Decimal | None:
        name = f"{field.name}_{field.interval}" if field.interval else field.name
        value = known.get(name)
        return None if value is None else Decimal(repr(value))

    return look


@pytest.mark.parametrize(
    ("text", "known", "truth"),
    [
        ("close(4h) > 2710 and macd_hist(4h) >= 0", {"close_4h": 2711, "macd_hist_4h": 0.0}, True),
        ("close(4h) > 2710 and macd_hist(4h) >= 0", {"close_4h": 2710, "macd_hist_4h": 1}, False),
        ("price < 100 or rsi_14(1h) > 70", {"price": 101, "rsi_14_1h": 70.5}, True),
        ("mark<100", {"price": 99.9}, True),
        ("not price < 100", {"price": 100}, True),
        ("100 >= price", {"price": 100}, True),
        ("macd_line(15m) > -0.5", {"macd_line_15m": -0.6}, False),
        ("price == 100.10", {"price": 100.1}, True),
        ("price != 1e2", {"price": 100}, False),
        ("ema_9(1h) < ema_50(1h)", {"ema_9_1h": 1, "ema_50_1h": 2}, True),
        ("PRICE < 1 OR NOT (price > 1 AND volume(1d) > 5)", {"price": 2, "volume_1d": 5}, True),
        ("price < 1 or price < 2 and price > 5", {"price": 0.5}, True),
    ],
)
def test_a_rule_means_what_it_says(text: str, known: dict[str, float], truth: bool) -> None:
    """`and` binds stronger than `or`, `not` strongest; words may be in capitals."""
    assert truth is evaluate_rule(parse_rule(text), value_of(**known))


@pytest.mark.parametrize(
    ("text", "known", "truth"),
    [
        ("price < 100", {}, None),
        ("not price < 100", {}, None),
        ("price < 100 and rsi_14(1h) > 70", {"rsi_14_1h": 10}, False),
        ("price < 100 and rsi_14(1h) > 70", {"rsi_14_1h": 80}, None),
        ("price < 100 or rsi_14(1h) > 70", {"rsi_14_1h": 80}, True),
        ("price < 100 or rsi_14(1h) > 70", {"rsi_14_1h": 10}, None),
    ],
)
def test_what_is_missing_makes_a_rule_unknown_unless_the_rest_decides(
    text: str, known: dict[str, float], truth: Truth
) -> None:
    assert truth is evaluate_rule(parse_rule(text), value_of(**known))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected a number, price or a field such as close(4h), found the end"),
        ("price", "column 6: expected one of < <= > >= == !=, found the end"),
        ("price < ", "column 8: expected a number, price or a field such as close(4h), found"),
        ("price = 3", "column 7: '=' has no meaning here, did you mean ==?"),
        ("price < 3 price > 2", "column 11: expected 'and', 'or' or the end, found 'price'"),
        ("(price < 3", "column 11: expected ')', 'and' or 'or', found the end"),
        ("macd_hst(4h) > 0", "column 1: unknown field 'macd_hst', did you mean macd_hist?"),
        ("zebra(4h) > 0", "column 1: unknown field 'zebra'; there are price, open, high,"),
        ("close > 3", "column 7: expected an interval, as in close(4h), found '>'"),
        ("close(7m) > 3", "column 7: expected an interval, one of 1m, 15m, 1h, 4h, 1d, found '7m'"),
        ("close(4h > 3", "column 10: expected ')', found '>'"),
        ("2 < 3", "column 1: two numbers are compared, neither changes"),
        ("price < mark", "column 1: price is compared with itself"),
        ("price < 3 and and price > 2", "column 15: expected a number, price or a field"),
        ("price < 3; import os", "column 10: ';' has no meaning here"),
        ("price < __import__", "column 9: unknown field '__import__'"),
        ("price < 2,710", "column 10: ',' has no meaning here"),
        ("price < 1e99", "column 9: '1e99' is beyond any price"),
        ("price < ٣", "column 9: '٣' has no meaning here"),
        ("not", "column 4: expected a number, price or a field such as close(4h), found the end"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(InvalidRule) as error:
        parse_rule(text)
    assert str(error.value).startswith(message)


def test_rules_are_bounded_in_length_depth_and_number() -> None:
    """Nothing that fits is refused, and one more of each is."""
    deep = "(" * DEPTH_MAX + "price < 1" + ")" * DEPTH_MAX
    assert Compare(THE_PRICE, "<", Number(Decimal(1))) == parse_rule(deep)
    many = " or ".join(["price < 1"] * COMPARISONS_MAX)
    parse_rule(many)
    for text, reason in (
        (f"({deep})", "at most 12 parentheses and negations"),
        ("not " * 13 + "price < 1", "at most 12 parentheses and negations"),
        (f"{many} or price < 1", "at most 32 comparisons"),
        ("price < 1" + " " * 500, "at most 500 characters"),
    ):
        with pytest.raises(InvalidRule, match=reason):
            parse_rule(text)


def test_a_rule_knows_which_bars_to_wait_for() -> None:
    """The shortest interval's closes are also those of the longer ones."""
    rule = compile_rule("price < 5 or rsi_14(4h) > 70 and close(15m) < ema_9(4h)")
    assert (("15m", "4h"), ("15", "240"), "15m") == (rule.intervals, rule.minutes, rule.bar)
    bare = compile_rule("price < 5")
    assert ((), (), None) == (bare.intervals, bare.minutes, bare.bar)


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ("price < 100", {"price": 110}, [("below", 100)]),
        ("100 > price", {"price": 110}, [("below", 100)]),
        ("price >= 120", {"price": 110}, [("above", 120)]),
        ("not price < 120", {"price": 110}, [("above", 120)]),
        ("not (price > 100 or price < 90)", {"price": 110}, [("below", 100)]),
        ("price < ema_9(1h)", {"price": 110, "ema_9_1h": 105}, [("below", 105)]),
        ("price < ema_9(1h)", {"price": 110}, []),
        ("price < 100 and rsi_14(1h) > 70", {"price": 90, "rsi_14_1h": 10}, []),
        ("price == 100", {"price": 110}, [("below", 100)]),
        ("price == 100", {}, [("below", 100), ("above", 100)]),
        ("price != 100", {"price": 100}, [("below", 100), ("above", 100)]),
        ("price < 100 or price < 100.0", {"price": 110}, [("below", 100)]),
        ("close(1h) < 100", {"price": 110}, []),
    ],
)
def test_a_rule_knows_which_prices_to_wait_for(
    text: str, known: dict[str, float], expected: list[tuple[str, int]]
) -> None:
    """A comparison that holds already waits for nothing; one of bars alone neither."""
    found = compile_rule(text).crossings(value_of(**known))
    assert expected == [(way, int(price)) for way, price in found]


def test_a_rule_reads_fresh_bars_of_the_snapshot_only() -> None:
    """A bar that closed two intervals ago is read, one a millisecond older is not."""
    block = {"open_time_ms": NOW_MS, "close": 2710.1, "rsi_14": None}
    snapshot = {"intervals_data": {"240": block}}
    closed_ms = NOW_MS + 4 * HOUR_MS
    look = reader(snapshot, Decimal(5), closed_ms + 8 * HOUR_MS)
    assert Decimal("2710.1") == look(Field("close", "4h"))
    assert Decimal(5) == look(THE_PRICE)
    assert look(Field("rsi_14", "4h")) is None
    assert look(Field("close", "1h")) is None
    assert reader(snapshot, None, closed_ms + 8 * HOUR_MS + 1)(Field("close", "4h")) is None
    assert reader(None, None, 0)(Field("close", "4h")) is None


fields = st.one_of(
    st.just(THE_PRICE),
    st.builds(Field, st.sampled_from(FIELD_NAMES), st.sampled_from(list(MINUTES))),
)
numbers = st.builds(Number, st.decimals("-99999", "99999", places=3))
operators = st.sampled_from(get_args(Operator))


@st.composite
def comparisons(draw: st.DrawFn) -> Compare:
    left = draw(fields)
    right: Operand = draw(st.one_of(numbers, fields.filter(lambda field: field != left)))
    sides = (right, left) if draw(st.booleans()) else (left, right)
    return Compare(sides[0], draw(operators), sides[1])


rules = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@given(rules)
def test_a_rule_that_is_written_and_read_is_the_same_rule(rule: Rule) -> None:
    assert rule == parse_rule(render_rule(rule))


def slow_truth(text: str, known: dict[str, Decimal]) -> Truth:
    """Judge a rule by its text: try both truths of what is unknown, and let Python compare."""
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()
    words: list[str] = []
    unknown: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at] in {"(", ")", "and", "or", "not"}:
            words.append(tokens[at])
            at += 1
            continue
        sides: list[Decimal | None] = []
        operator = ""
        for _ in range(2):
            name = tokens[at]
            at += 1
            if at < len(tokens) and tokens[at] == "(":
                name += f"({tokens[at + 1]})"
                at += 3
            is_number = name[0] in "-0123456789"
            sides.append(Decimal(name) if is_number else known.get(name))
            if not operator:
                operator = tokens[at]
                at += 1
        if None in sides:
            unknown.append(f"u{len(unknown)}")
            words.append(unknown[-1])
        else:
            words.append(str(eval(f"a {operator} b", {"a": sides[0], "b": sides[1]})))
    sentence = " ".join(words)
    outcomes = {
        bool(eval(sentence, {name: bool(bits >> n & 1) for n, name in enumerate(unknown)}))
        for bits in range(2 ** len(unknown))
    }
    return outcomes.pop() if len(outcomes) == 1 else None


@given(rules, st.data())
def test_a_rule_is_judged_as_an_independent_reader_judges_it(
    rule: Rule, data: st.DataObject
) -> None:
    """Each unknown comparison stands for itself, so both agree wherever the truth is known."""
    text = render_rule(rule)
    names = sorted({"price", *(f"{f}({i})" for f in FIELD_NAMES for i in MINUTES)})
    present = [name for name in names if name in text]
    known = {
        name: data.draw(st.decimals("-99999", "99999", places=3), label=name)
        for name in present
        if data.draw(st.booleans(), label=f"{name} known")
    }

    def look(field: Field) -> Decimal | None:
        return known.get(f"{field.name}({field.interval})" if field.interval else field.name)

    assert slow_truth(text, known) is evaluate_rule(rule, look)
