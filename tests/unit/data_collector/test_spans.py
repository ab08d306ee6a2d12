"""Spans are sets of moments: checked against sets."""

from hypothesis import given
from hypothesis import strategies as st

from data_collector.domain.spans import union, without
from suite.klines import Gap

SPANS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 8)).map(lambda pair: Gap(pair[0], sum(pair))),
    max_size=8,
)


def moments(spans: object) -> set[int]:
    assert isinstance(spans, list | tuple)
    return {moment for span in spans for moment in range(span.start_ms, span.end_ms)}


@given(SPANS, SPANS)
def test_spans_are_sets_of_moments(left: list[Gap], right: list[Gap]) -> None:
    """United and subtracted like sets, and what comes out is rising and apart."""
    assert moments(left) == moments(union(left))
    rest = without(left, right)
    assert moments(left) - moments(right) == moments(rest)
    ends = [moment for span in rest for moment in (span.start_ms, span.end_ms)]
    assert sorted(set(ends)) == ends


def test_near_spans_become_one() -> None:
    """What lies between is asked for again, which costs less than a request."""
    assert (Gap(0, 12), Gap(20, 21)) == union([Gap(0, 5), Gap(9, 12), Gap(20, 21)], within_ms=4)
