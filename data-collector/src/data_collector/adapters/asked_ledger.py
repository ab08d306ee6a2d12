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
        self._files = store.files

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
            write_json(self._files, _name(source, coin), {**known, what: entry})

    def _read(self, source: Source, coin: str) -> dict[str, Any]:
        return read_json(self._files, _name(source, coin)) or {}


def _name(source: Source, coin: str) -> str:
    return f"asked/venue={source.venue}/market={source.market}/symbol={coin}.json"


def _spans(entry: dict[str, Any], what: str) -> tuple[Gap, ...]:
    return tuple(Gap(start, end) for start, end in entry.get(what, []))
