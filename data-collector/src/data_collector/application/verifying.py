"""Reading a whole store again and saying what is wrong with it."""

import itertools
from collections.abc import Iterator

import numpy as np

from data_collector.application.ports import Checked, StoredPart, StoredParts
from data_collector.domain.cleaning import is_not_positive, ohlc_is_broken
from suite.bars import I64, INTERVAL_MS, Bars
from suite.errors import StorageError
from suite.klines import Source, gaps_of


def verify(store: StoredParts) -> Iterator[Checked]:
    """Check every file: readable, in order, possible prices, gaps as the ledger says."""
    for key, group in itertools.groupby(store.parts(), lambda p: (p.source, p.coin, p.interval)):
        times: list[I64] = []
        damaged = False
        for part in group:
            try:
                bars = store.bars(part)
            except StorageError as error:
                damaged = True
                yield Checked(name=part.name, problem=str(error))
            else:
                times.append(bars.open_time_ms)
                yield Checked(name=part.name, rows=len(bars), problem=_problem(part, bars))
        if not damaged:
            yield _check_ledger(store, *key, np.concatenate(times))
    yield from store.others()


def _problem(part: StoredPart, bars: Bars) -> str:
    months = bars.open_time_ms.astype("datetime64[ms]").astype("datetime64[M]")
    counts = {
        "bars whose high or low is not": int(ohlc_is_broken(bars).sum()),
        "bars with an impossible price or volume": int(is_not_positive(bars).sum()),
        "bars of another month": int((months != np.datetime64(part.month, "M")).sum()),
    }
    problems = [f"{count} {what}" for what, count in counts.items() if count]
    if len(bars) == 0:
        problems.append("no rows")
    return f"{part.name}: {', '.join(problems)}" if problems else ""


def _check_ledger(
    store: StoredParts, source: Source, coin: str, interval: str, times: I64
) -> Checked:
    """Compare the gap ledger of a series with its files."""
    name = f"{coin} {interval} of {source}"
    if (np.diff(times) <= 0).any():
        return Checked(name=name, problem=f"{name}: files overlap")
    try:
        ledger = store.ledger(source, coin, interval)
    except StorageError as error:
        return Checked(name=name, problem=str(error))
    gaps = [[gap.start_ms, gap.end_ms] for gap in gaps_of(times, INTERVAL_MS[interval])]
    if ledger is None or ledger.get("gaps") != gaps or ledger.get("bars") != len(times):
        problem = (
            f"{name}: the gap ledger does not match the files; repeat the last write with --again"
        )
        return Checked(name=name, problem=problem)
    return Checked(name=name)
