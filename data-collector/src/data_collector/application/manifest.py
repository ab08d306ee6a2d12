"""What a store holds, by content: written down once, it can be held against the store for ever."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

from suite.bars import INTERVAL_MS
from suite.errors import DataGap
from suite.klines import Coverage, Source

FORMAT: Final = 1


class HashedStore(Protocol):
    """A store whose content can be hashed; errors as in `KlineStore`."""

    def series(self) -> tuple[tuple[Source, str, str], ...]:
        """List (source, coin, interval) of everything that has bars."""
        ...

    def coverage(
        self, coin: str, interval: str = "1m", *, source: Source | str | None = None
    ) -> Coverage:
        """Say from when to when bars are stored and which are missing."""
        ...

    def content_hash(
        self,
        coin: str,
        from_ms: int | None = None,
        to_ms: int | None = None,
        *,
        interval: str = "1m",
        source: Source | str | None = None,
    ) -> str:
        """Hash bars and funding of a range, and the instrument."""
        ...


def describe(store: HashedStore) -> Iterator[dict[str, Any]]:
    """Say of each series what it holds.

    Raises:
        StorageError: a file is damaged; names it.
    """
    for source, coin, interval in store.series():
        held = store.coverage(coin, interval, source=source)
        yield {
            "source": str(source),
            "coin": coin,
            "interval": interval,
            "first_open_ms": held.first_open_ms,
            "end_ms": held.end_ms,
            **_counts(held, held.first_open_ms, held.end_ms),
            "sha256": store.content_hash(
                coin, held.first_open_ms, held.end_ms, interval=interval, source=source
            ),
        }


def manifest_of(series: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make the document of what `describe` said."""
    return {"format": FORMAT, "series": list(series)}


def series_in(manifest: Any) -> list[dict[str, Any]]:
    """Read the document.

    Raises:
        ValueError: it is none.
    """
    names = {"source", "coin", "interval", "first_open_ms", "end_ms", "bars", "gaps", "sha256"}
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ValueError(f"not a manifest of format {FORMAT}")
    series = manifest.get("series")
    if not isinstance(series, list) or not all(names <= set(item) for item in series):
        raise ValueError("a series of the manifest lacks a field")
    return series


def differences(store: HashedStore, series: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Hold a store against a manifest, series by series, each in the range it had then.

    What a store has more of, by time or by series, is no difference.

    Yields:
        For each series what differs, empty where nothing does.
    """
    for item in series:
        yield _difference(store, item)


def _difference(store: HashedStore, item: Mapping[str, Any]) -> str:
    coin, interval, source = item["coin"], item["interval"], str(item["source"])
    name = f"{coin} {interval} of {source}"
    first, end = int(item["first_open_ms"]), int(item["end_ms"])
    try:
        held = store.coverage(coin, interval, source=source)
        found = store.content_hash(coin, first, end, interval=interval, source=source)
    except DataGap:
        return f"{name}: not stored"
    if found == item["sha256"]:
        return ""
    counts = _counts(held, first, end)
    told = [f"{counts[key]} {key} were {item[key]}" for key in counts if counts[key] != item[key]]
    return f"{name}: {', '.join(told) or 'other values, funding or instrument'}"


def _counts(held: Coverage, from_ms: int, to_ms: int) -> dict[str, int]:
    """Bars and gaps of a range."""
    step = INTERVAL_MS[held.interval]
    first, end = max(from_ms, held.first_open_ms), min(to_ms, held.end_ms)
    inside = [
        (max(gap.start_ms, first), min(gap.end_ms, end))
        for gap in held.gaps
        if gap.start_ms < end and gap.end_ms > first
    ]
    missing = sum(stop - start for start, stop in inside) // step
    return {"bars": max(0, end - first) // step - missing, "gaps": len(inside)}
