"""What happened to the money of one account, added up: for runs whose fills nobody reads."""

from perp_engine.kernel.jit import Words, jit, words
from perp_engine.kernel.layout import EVENT_EQUITY, EVENT_FILL, EVENT_FUNDING, EVENT_WORDS

ENTERED, NOTIONAL, FEES, FUNDING, HELD_MS, SINCE_MS, HELD, SAMPLES = range(8)
TALLY_WORDS = 8


@jit
def add_fill(s: Words, r: Words, row: int) -> None:
    """Count a fill, and the time that a position was held until then."""
    time_ms, size, start = r[row + 1], r[row + 7], r[row + 10]
    after = start + r[row + 6] * size
    if s[HELD]:
        s[HELD_MS] += time_ms - s[SINCE_MS]
    s[SINCE_MS] = time_ms
    s[HELD] += (after != 0) - (start != 0)
    if after != 0 and (start == 0 or (after > 0) != (start > 0)):
        s[ENTERED] += 1
    s[NOTIONAL] += size * r[row + 8]
    s[FEES] += r[row + 12]


@jit
def add_up(sums: Words, rows: Words, count: int, samples: Words, room: int) -> int:
    """Entry point: add rows of the event table to sums.

    Args:
        sums: `TALLY_WORDS` words. HELD is the number of positions, SINCE_MS when it last changed.
        rows: of the event table, `count` of them.
        samples: where samples of the first account's equity go, behind those that are there; those
            beyond `room` are counted only.

    Returns:
        How many samples there were so far.
    """
    s: Words = words(sums)
    r, equity = words(rows), words(samples)
    for place in range(count):
        row = place * EVENT_WORDS
        if r[row] == EVENT_FILL:
            add_fill(s, r, row)
        elif r[row] == EVENT_FUNDING:
            s[FUNDING] += r[row + 7]
        elif r[row] == EVENT_EQUITY:
            if s[SAMPLES] < room:
                equity[s[SAMPLES]] = r[row + 5]
            s[SAMPLES] += 1
    return s[SAMPLES]
