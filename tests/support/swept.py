"""Strategies that tests sweep: one compiled, one called, and what goes wrong in them."""

import os
from collections.abc import Mapping
from typing import Any

from perp_engine.callback import Callback, OnBar
from perp_engine.jitted import Floats, Words, close, market, position, strategy
from virtual_exchange.research.sweep_strategies import Called, Compiled


@strategy
def momentum(m: Words, t: Words, u: Words, _f: Floats, bar: int) -> None:
    """u: length, size; each hour."""
    if bar <= u[0] or bar % 60 != 0:
        return
    side = 1 if close(m, t, 0, 1) > close(m, t, 0, u[0]) else -1
    change = side * u[1] - position(m, 0, 0)
    if change:
        market(m, t, 0, 0, 1 if change > 0 else -1, abs(change))


def called_momentum(run: Callback, params: Mapping[str, Any]) -> OnBar:
    """The same in Python; a length of 13 fails, one of 66 ends the process."""
    length, size = params["length"], params["size"]
    if length == 13:
        raise ValueError("thirteen")
    if length == 66:
        os._exit(3)
    closes: list[int] = []

    def on_bar(bar: int, last: int) -> None:
        closes.append(last)
        if bar <= length or bar % 60 != 0:
            return
        side = 1 if last > closes[-length] else -1
        change = side * size - run.position
        if change:
            run.market(1 if change > 0 else -1, abs(change))

    return on_bar


@strategy
def momentum_of_all(m: Words, t: Words, u: Words, _f: Floats, bar: int) -> None:
    """u: length, size, coins; each hour, coins that rose against those that fell."""
    if bar <= u[0] or bar % 60 != 0:
        return
    for coin in range(u[2]):
        side = 1 if close(m, t, coin, 1) > close(m, t, coin, u[0]) else -1
        change = side * u[1] - position(m, 0, coin)
        if change:
            market(m, t, 0, coin, 1 if change > 0 else -1, abs(change))


compiled = Compiled(momentum, ints={"length": 60, "size": 1_000})
called = Called(called_momentum, {"length": 60, "size": 1_000})
of_all = Compiled(momentum_of_all, ints={"length": 60, "size": 1_000, "coins": 2})
