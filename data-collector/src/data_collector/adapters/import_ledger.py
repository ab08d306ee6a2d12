"""What has been imported, and the reports about it, beside the data in the store's folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from suite.klines import Source
from suite.service.kline_files import read_json, write_json
from suite.service.kline_store import KlineStore


class FileLedger:
    """Remembers imported files, one small file each, so that none is lost to a crash.

    Args:
        store: what they were imported into.
    """

    def __init__(self, store: KlineStore) -> None:
        self._store = store

    def find(self, key: str) -> dict[str, Any] | None:
        """What a file of this content became; None when it is new or its data is gone."""
        entry = read_json(self._store.files, self._name(key))
        if entry is None or not entry["coin"]:  # brackets are of many coins, and in no file
            return entry
        source = Source.parse(entry["source"])
        series = (source, entry["coin"], entry["interval"])
        if entry["interval"]:
            return entry if series in self._store.series() else None
        return entry if len(self._store.funding_at(source, entry["coin"])[0]) else None

    def add(self, key: str, entry: Mapping[str, Any]) -> None:
        """Remember a file that was imported whole."""
        write_json(self._store.files, self._name(key), entry)

    def _name(self, key: str) -> str:
        return f"imports/{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def write_report(store: KlineStore, files: Sequence[Mapping[str, Any]], *, now_ms: int) -> str:
    """Write the report of one import; say where it is.

    Args:
        store: what was imported into.
        files: one entry a file.
        now_ms: names the report.
    """
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    report = {"format": 1, "created_at": moment.isoformat(), "files": list(files)}
    # Two imports may end in one second: the name holds what is in the report, too.
    digest = hashlib.sha256(json.dumps(report, sort_keys=True).encode()).hexdigest()[:8]
    name = f"reports/import-{moment:%Y%m%dT%H%M%SZ}-{digest}.json"
    write_json(store.files, name, report)
    return f"{store.files.place}/{name}"
