"""Reading a whole store again and saying what is wrong with it."""

import itertools
from collections.abc import Iterator

import numpy as np

from data_collector.application.ports import Checked, StoredPart, StoredParts
from data_collector.domain.cleaning import is_not_positive, ohlc_is_broken
from suite.bars import I64, INTERVAL_MS, Bars
from suite.errors import StorageError
from suite.gaps import Ledger
from suite.klines import Source


def verify(store: StoredParts) -> Iterator[Checked]:
    """Check every file: readable, in order, possible prices, gaps as the ledger says."""
    for key, group in itertools.groupby(store.parts(), lambda p: (p.source, p.coin, p.interval)):
        months: list[I64] = []
        damaged = False
        for _, parts in itertools.groupby(group, lambda part: part.month):
            times = np.zeros(0, np.int64)
            for part in parts:
                try:
                    bars = store.bars(part)
                except StorageError as error:
                    damaged = True
                    yield Checked(name=part.name, problem=str(error))
                else:
                    times = np.union1d(times, bars.open_time_ms)
                    yield Checked(name=part.name, rows=len(bars), problem=_problem(part, bars))
            months.append(times)
        if not damaged:
            yield _check_ledger(store, *key, np.concatenate(months))
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
        return Checked(name=name, problem=f"{name}: months overlap")
    try:
        ledger = store.ledger(source, coin, interval)
    except StorageError as error:
        return Checked(name=name, problem=str(error))
    runs = Ledger.of(times, INTERVAL_MS[interval]).runs
    if ledger is None or not np.array_equal(ledger.runs, runs):
        problem = (
            f"{name}: the gap ledger does not match the files; data-collector compact makes it anew"
        )
        return Checked(name=name, problem=problem)
    return Checked(name=name)
