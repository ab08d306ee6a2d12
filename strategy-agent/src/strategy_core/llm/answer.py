"""What a model may answer: decisions for coins, each read strictly and on its own.

    {"decisions": [{"coin": "BTC", "signal": "buy_to_enter", "risk_usd": 50, "leverage": 3,
                    "entry": "market", "stop_loss": 58000, "take_profit": 64000,
                    "invalidation": "close(4h) < 58500", "confidence": 0.6, "valid_for": "4h",
                    "reasoning": "..."}],
     "notes": ["..."]}

Unknown fields are refused, and so is a number that is none. One bad decision never blocks another.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from strategy_core.exits.invalidation import LENGTH_MAX, InvalidRule, compile_rule
from strategy_core.llm.outside import plain, quoted
from strategy_core.numbers import is_number
from suite.bars import DAY_MS, HOUR_MS, MINUTE_MS
from suite.contracts.trader import near

DECISIONS_MAX: Final = 50
NOTES_MAX: Final = 10
NOTE_CAP: Final = 240
REASONING_CAP: Final = 600
LEVERAGE_MAX: Final = 100
VALID_MS_MAX: Final = 7 * DAY_MS
USD_MAX: Final = Decimal(10) ** 12
_UNITS: Final[Mapping[str, int]] = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


class Signal(StrEnum):
    """What to do with a coin."""

    BUY = "buy_to_enter"
    SELL = "sell_to_enter"
    HOLD = "hold"
    CLOSE = "close"
    ADJUST = "adjust"


class FlawKind(StrEnum):
    """What is wrong with a reply, or with one decision of it."""

    EMPTY = "empty"
    REFUSED = "refused"
    CUT_OFF = "cut_off"
    TOO_LONG = "too_long"
    NO_JSON = "no_json"
    BAD_JSON = "bad_json"
    TOO_DEEP = "too_deep"
    TWICE_NAMED = "twice_named"
    NO_NUMBER = "no_number"
    SEVERAL_ANSWERS = "several_answers"
    WRONG_SHAPE = "wrong_shape"
    TOO_MANY = "too_many"
    NO_OBJECT = "no_object"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    WRONG_UNIT = "wrong_unit"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_SIGNAL = "unknown_signal"
    UNKNOWN_COIN = "unknown_coin"
    COIN_TWICE = "coin_twice"
    BAD_RULE = "bad_rule"
    BAD_NOTES = "bad_notes"
    # what can be read, and cannot be done
    NO_PRICE = "no_price"
    NO_SIZE = "no_size"
    TWO_SIZES = "two_sizes"
    NO_STOP = "no_stop"
    WRONG_SIDE = "wrong_side"
    TOO_FAR = "too_far"
    TOO_SMALL = "too_small"
    NO_POSITION = "no_position"
    HAS_POSITION = "has_position"
    STOP_LOOSENED = "stop_loosened"
    NOTHING_TO_DO = "nothing_to_do"
    BRAKED = "braked"


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        kind: by which it is counted.
        text: for the model and for people, one line; what the model wrote is quoted in it.
        item: of which decision, by its place; None of the whole.
    """

    kind: FlawKind
    text: str
    item: int | None = None

    def __str__(self) -> str:
        place = "" if self.item is None else f"decisions[{self.item}] "
        return f"{place}{self.kind}: {self.text}"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One decision, as asked.

    Attributes:
        place: within the answer.
        size_usd: notional to open, or to close, USD; risk_usd: loss at the stop, USD.
        leverage: to set for the coin; None to leave it.
        limit: price of a limit order, USD; None for the market.
        stop_loss, take_profit: USD.
        invalidation: rule that ends the position, written anew; empty for none.
        confidence: 0 to 1.
        valid_for_ms: how long it may be acted on: an entry that rests is then canceled.
    """

    place: int
    coin: str
    signal: Signal
    size_usd: Decimal | None = None
    risk_usd: Decimal | None = None
    leverage: int | None = None
    limit: Decimal | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    invalidation: str = ""
    confidence: Decimal | None = None
    valid_for_ms: int | None = None
    reasoning: str = ""


class Refused(Exception):
    """A part of a reply cannot be read.

    Args:
        kind: what is wrong.
        text: in one line.
    """

    def __init__(self, kind: FlawKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


FIELDS: Final = (
    "coin",
    "signal",
    "size_usd",
    "risk_usd",
    "leverage",
    "entry",
    "stop_loss",
    "take_profit",
    "invalidation",
    "confidence",
    "valid_for",
    "reasoning",
)


def read_item(raw: object, place: int, coins: Sequence[str]) -> Item:
    """Read one decision.

    Args:
        raw: decoded JSON, with all numbers as `Decimal`.
        place: of it within the answer.
        coins: that may be named.

    Raises:
        Refused: it is none.
    """
    if not isinstance(raw, dict):
        raise Refused(FlawKind.NO_OBJECT, f"a decision is an object, not {_name(raw)}")
    for key in raw:
        if key not in FIELDS:
            shown = plain(key, 40)
            raise Refused(
                FlawKind.UNKNOWN_FIELD, f"there is no field {quoted(key, 40)}{near(shown, FIELDS)}"
            )
    valid_for = _text(raw, "valid_for", 12)
    return Item(
        place=place,
        coin=_coin(raw, coins),
        signal=_signal(raw),
        size_usd=_number(raw, "size_usd", USD_MAX),
        risk_usd=_number(raw, "risk_usd", USD_MAX),
        leverage=_leverage(raw),
        limit=_limit(raw),
        stop_loss=_number(raw, "stop_loss", USD_MAX),
        take_profit=_number(raw, "take_profit", USD_MAX),
        invalidation=_rule(raw),
        confidence=_confidence(raw),
        valid_for_ms=_duration(valid_for) if valid_for else None,
        reasoning=plain(_text(raw, "reasoning", 1 << 14), REASONING_CAP),
    )


def read_notes(raw: object) -> tuple[str, ...]:
    """Read what the model wants to remember: the newest of it, each cut.

    Raises:
        Refused: no list of texts.
    """
    if isinstance(raw, str):
        raw = [raw] if raw.strip() else []
    if not isinstance(raw, list) or not all(isinstance(note, str) for note in raw):
        raise Refused(FlawKind.BAD_NOTES, "notes is a list of texts")
    notes = [plain(note, NOTE_CAP) for note in raw]
    return tuple([note for note in notes if note][-NOTES_MAX:])


def schema(coins: Sequence[str], *, notes: bool = True) -> dict[str, Any]:
    """Describe an answer as a JSON schema, for servers that can be held to one.

    Every field is there and may be null: strict servers know no other optional ones.

    Args:
        coins: that a decision may be about.
        notes: some may be written; without it there are none, which a small model never ends.
    """
    price = {"type": ["number", "null"], "exclusiveMinimum": 0}
    fields: dict[str, Any] = {
        "coin": {"type": "string", "enum": list(coins)},
        "signal": {"type": "string", "enum": [signal.value for signal in Signal]},
        "size_usd": price,
        "risk_usd": price,
        "leverage": {"type": ["integer", "null"], "minimum": 1, "maximum": LEVERAGE_MAX},
        "entry": {"anyOf": [{"type": "string", "enum": ["market"]}, price]},
        "stop_loss": price,
        "take_profit": price,
        "invalidation": {"type": ["string", "null"], "maxLength": LENGTH_MAX},
        "confidence": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "valid_for": {"type": ["string", "null"], "pattern": "^[0-9]{1,4}[mhd]$"},
        "reasoning": {"type": "string", "maxLength": REASONING_CAP},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["decisions", "notes"],
        "properties": {
            "decisions": {
                "type": "array",
                "maxItems": len(coins),
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": list(FIELDS),
                    "properties": fields,
                },
            },
            "notes": {
                "type": "array",
                "maxItems": NOTES_MAX if notes else 0,
                "items": {"type": "string", "maxLength": NOTE_CAP},
            },
        },
    }


def _coin(raw: Mapping[str, Any], coins: Sequence[str]) -> str:
    name = _required(raw, "coin")
    if not isinstance(name, str):
        raise Refused(FlawKind.WRONG_TYPE, f"coin is a text, not {_name(name)}")
    if name not in coins:
        shown = plain(name, 24)
        raise Refused(
            FlawKind.UNKNOWN_COIN,
            f"{quoted(name, 24)} is not one of {', '.join(coins)}{near(shown, coins)}",
        )
    return name


def _signal(raw: Mapping[str, Any]) -> Signal:
    name = _required(raw, "signal")
    if not isinstance(name, str):
        raise Refused(FlawKind.WRONG_TYPE, f"signal is a text, not {_name(name)}")
    try:
        return Signal(name)
    except ValueError:
        known = ", ".join(Signal)
        raise Refused(
            FlawKind.UNKNOWN_SIGNAL, f"{quoted(name, 24)} is not one of {known}"
        ) from None


def _required(raw: Mapping[str, Any], key: str) -> object:
    if raw.get(key) is None:
        raise Refused(FlawKind.MISSING_FIELD, f"{key} is missing")
    return raw[key]


def _number(raw: Mapping[str, Any], key: str, most: Decimal) -> Decimal | None:
    """Read a positive number; a text with a unit in it is none."""
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        raise Refused(
            FlawKind.WRONG_UNIT, f"{key} is a plain number of USD, not {quoted(value, 24)}"
        )
    if not isinstance(value, Decimal):
        raise Refused(FlawKind.WRONG_TYPE, f"{key} is a number, not {_name(value)}")
    if not (is_number(value) and 0 < value <= most):
        raise Refused(FlawKind.OUT_OF_RANGE, f"{key} must be above 0 and of some sense")
    return value


def _leverage(raw: Mapping[str, Any]) -> int | None:
    number = _number(raw, "leverage", USD_MAX)
    if number is None:
        return None
    if number != number.to_integral_value() or not 1 <= number <= LEVERAGE_MAX:
        raise Refused(FlawKind.OUT_OF_RANGE, f"leverage is a whole number from 1 to {LEVERAGE_MAX}")
    return int(number)


def _limit(raw: Mapping[str, Any]) -> Decimal | None:
    entry = raw.get("entry")
    if entry is None or entry == "market":
        return None
    if isinstance(entry, str):
        raise Refused(
            FlawKind.WRONG_TYPE, f'entry is "market" or a limit price, not {quoted(entry, 24)}'
        )
    return _number(raw, "entry", USD_MAX)


def _confidence(raw: Mapping[str, Any]) -> Decimal | None:
    value = raw.get("confidence")
    if isinstance(value, Decimal) and value == 0:
        return Decimal(0)
    number = _number(raw, "confidence", USD_MAX)
    if number is not None and number > 1:
        raise Refused(FlawKind.OUT_OF_RANGE, f"confidence is from 0 to 1, not {number:f}")
    return number


def _rule(raw: Mapping[str, Any]) -> str:
    text = _text(raw, "invalidation", LENGTH_MAX + 1)
    if not text.strip():
        return ""
    try:
        return compile_rule(text).text
    except InvalidRule as error:
        raise Refused(FlawKind.BAD_RULE, f"invalidation: {quoted(error, 200)}") from None


def _text(raw: Mapping[str, Any], key: str, most: int) -> str:
    value = raw.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(FlawKind.WRONG_TYPE, f"{key} is a text, not {_name(value)}")
    if len(value) > most:
        raise Refused(FlawKind.OUT_OF_RANGE, f"{key} has at most {most} characters")
    return value


def _duration(text: str) -> int:
    digits, unit = text[:-1], text[-1:]
    if not (digits.isascii() and digits.isdecimal() and unit in _UNITS and len(digits) <= 4):
        raise Refused(FlawKind.WRONG_UNIT, f"valid_for is like 30m, 4h or 1d, not {text!r}")
    length_ms = int(digits) * _UNITS[unit]
    if not 0 < length_ms <= VALID_MS_MAX:
        raise Refused(FlawKind.OUT_OF_RANGE, "valid_for is above 0 and at most 7d")
    return length_ms


def _name(value: object) -> str:
    """Say in JSON's words what a value is."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case Decimal():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"
