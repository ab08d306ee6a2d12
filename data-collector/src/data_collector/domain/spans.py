"""Spans of time: half-open ranges of epoch ms, as arithmetic on sets."""

from collections.abc import Iterable

from suite.klines import Gap


def union(spans: Iterable[Gap], *, within_ms: int = 0) -> tuple[Gap, ...]:
    """Unite spans that overlap, touch or are at most so far apart; rising."""
    united: list[Gap] = []
    for span in sorted(spans, key=lambda span: span.start_ms):
        if span.start_ms >= span.end_ms:
            continue
        if united and span.start_ms <= united[-1].end_ms + within_ms:
            last = united.pop()
            span = Gap(last.start_ms, max(last.end_ms, span.end_ms))  # noqa: PLW2901
        united.append(span)
    return tuple(united)


def without(spans: Iterable[Gap], taken: Iterable[Gap]) -> tuple[Gap, ...]:
    """Take spans out of others; rising."""
    left: list[Gap] = []
    holes = union(taken)
    for span in union(spans):
        start = span.start_ms
        for hole in holes:
            if hole.end_ms <= start or hole.start_ms >= span.end_ms:
                continue
            if hole.start_ms > start:
                left.append(Gap(start, hole.start_ms))
            start = hole.end_ms
        if start < span.end_ms:
            left.append(Gap(start, span.end_ms))
    return tuple(left)
