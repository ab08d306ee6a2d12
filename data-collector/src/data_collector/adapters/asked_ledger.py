"""What venues were asked for and do not have, one small file a coin in the store's folder."""

from typing import Any

from data_collector.domain.spans import union
from suite.klines import Gap, Source
from suite.service.kline_files import read_json, write_json
from suite.service.kline_store import KlineStore


class AskedFiles:
    """Remembers it beside the data, so that it is copied and deleted with the data.

    Args:
        store: what is filled.
    """

    def __init__(self, store: KlineStore) -> None:
        self._root = store.root / "asked"

    def lacking(self, source: Source, coin: str, what: str) -> tuple[Gap, ...]:
        """List the spans; `what` is an interval, or `funding`."""
        return _spans(self._read(source, coin), what)

    def add(self, source: Source, coin: str, what: str, spans: tuple[Gap, ...]) -> None:
        """Remember more of them."""
        known = self._read(source, coin)
        before = _spans(known, what)
        after = union([*before, *spans])
        if after != before:
            entry = [[span.start_ms, span.end_ms] for span in after]
            path = self._root / f"venue={source.venue}" / f"market={source.market}"
            write_json(path / f"symbol={coin}.json", {**known, what: entry})

    def _read(self, source: Source, coin: str) -> dict[str, Any]:
        path = self._root / f"venue={source.venue}" / f"market={source.market}"
        return read_json(path / f"symbol={coin}.json") or {}


def _spans(entry: dict[str, Any], what: str) -> tuple[Gap, ...]:
    return tuple(Gap(start, end) for start, end in entry.get(what, []))
