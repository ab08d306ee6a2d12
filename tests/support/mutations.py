"""Bodies of requests, spoilt in every way a client, a cable or an attacker may spoil them."""

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|[{}\[\],:]')
ODD_TEXTS: tuple[bytes, ...] = (
    b"null",
    b"true",
    b"0",
    b"-0",
    b"-1",
    b"1.5",
    b"1e400",
    b"-1e-400",
    b"9007199254740993",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"1" + b"0" * 400,
    b"NaN",
    b"Infinity",
    b'""',
    b'"0"',
    b'"-1"',
    b'"1e9"',
    b'"0.000000001"',
    b'"99999999999999999999"',
    b'"' + b"9" * 63 + b'"',
    b'"' + b"x" * 5000 + b'"',
    b'"\\ud800"',
    b'"\\u0000"',
    b'"\xc3\x28"',
    b'"0x' + b"0" * 40 + b'"',
    b'"0x' + b"f" * 32 + b'"',
    b"[]",
    b"{}",
    b"[null]",
    b'{"":{}}',
    b"{",
    b"]",
    b",",
    b":",
)
ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1 << 53,
    1 << 63,
    1 << 64,
    -(1 << 63) - 1,
    10**300,
    "",
    "0",
    "-1",
    "1e9",
    "0.00000001",
    "9" * 40,
    "NaN",
    "\ud7ff\x00",
    "0x" + "0" * 40,
    [],
    {},
    [[]],
    {"type": "order"},
)

Places = list[tuple[Any, Any]]
Mutation = Callable[[bytes, random.Random], bytes]


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Spoil a body in one to three ways."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        body = chance.choice(MUTATIONS)(body, chance)
    return body


def odd(value: Any, chance: random.Random) -> Any:
    """Change one thing in a JSON value, which stays JSON."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 2))):
        chance.choice((_drop, _type_swap, _repeat_item, _foreign_key))(value, chance)
    return value


def _flip_bit(body: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(body)) if body else 0
    return (
        body[:place]
        + bytes(b ^ 1 << chance.randrange(8) for b in body[place : place + 1])
        + (body[place + 1 :])
    )


def _splice(body: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(body) + 1)
    skip = chance.choice((0, 0, 1, 8))
    return body[:place] + chance.choice(ODD_TEXTS) + body[place + skip :]


def _swap_token(body: bytes, chance: random.Random) -> bytes:
    found = list(TOKEN.finditer(body))
    if not found:
        return body
    token = chance.choice(found)
    new = chance.choice((chance.choice(ODD_TEXTS), chance.choice(found)[0]))
    return body[: token.start()] + new + body[token.end() :]


def _duplicate_key(body: bytes, chance: random.Random) -> bytes:
    pairs = list(re.finditer(rb'"\w+":("[^"]*"|-?\d+|true|false|null)(?=[,}])', body))
    if not pairs:
        return body
    pair = chance.choice(pairs)
    name, _, value = pair[0].partition(b":")
    again = name + b":" + chance.choice((value, chance.choice(ODD_TEXTS)))
    return body[: pair.end()] + b"," + again + body[pair.end() :]


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body) + 1)]


def _append(body: bytes, chance: random.Random) -> bytes:
    return body + chance.choice((body, b"}", b"garbage", b"\x00", b" " * 50))


def _nest(body: bytes, chance: random.Random) -> bytes:
    depth = chance.choice((3, 60, 2000, 20_000))
    left, right = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    found = list(TOKEN.finditer(body))
    if not found:
        return left * depth + right * depth
    token = chance.choice(found)
    inner = left * depth + b"1" + right * depth
    return body[: token.start()] + inner + body[token.end() :]


def _of_json(change: Callable[[Any, random.Random], None]) -> Mutation:
    """Make a mutation of bytes from one of the value they encode."""

    def mutate(body: bytes, chance: random.Random) -> bytes:
        try:
            value = json.loads(body)
            change(value, chance)
            return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "replace")
        except (ValueError, RecursionError):
            return body

    return mutate


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    waiting = [value]
    while waiting:
        at = waiting.pop()
        keys = list(at) if isinstance(at, dict) else range(len(at)) if isinstance(at, list) else ()
        for key in keys:
            yield at, key
            waiting.append(at[key])


def _drop(value: Any, chance: random.Random) -> None:
    places = list(_places(value))
    if places:
        at, key = chance.choice(places)
        del at[key]


def _type_swap(value: Any, chance: random.Random) -> None:
    places = list(_places(value))
    if places:
        at, key = chance.choice(places)
        at[key] = copy.deepcopy(chance.choice(ODD_VALUES))


def _reorder(value: Any, chance: random.Random) -> None:
    tables = [at for at, _ in _places({"": value}) if isinstance(at, dict)]
    table = chance.choice(tables)
    items = list(table.items())
    chance.shuffle(items)
    table.clear()
    table.update(items)


def _repeat_item(value: Any, chance: random.Random) -> None:
    places = [(at, key) for at, key in _places(value) if isinstance(at[key], list) and at[key]]
    if places:
        at, key = chance.choice(places)
        at[key] = at[key] * chance.choice((2, 3, 250))


def _foreign_key(value: Any, chance: random.Random) -> None:
    tables = [value, *(at[key] for at, key in _places(value))]
    table = chance.choice([t for t in tables if isinstance(t, dict)] or [{}])
    table[chance.choice(("", "extra", "type", "a", "o", "time"))] = copy.deepcopy(
        chance.choice(ODD_VALUES)
    )


MUTATIONS: tuple[Mutation, ...] = (
    _flip_bit,
    _splice,
    _swap_token,
    _duplicate_key,
    _cut,
    _append,
    _nest,
    *map(_of_json, (_drop, _type_swap, _reorder, _repeat_item, _foreign_key)),
)
