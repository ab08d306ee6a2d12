"""What has been imported, and the reports about it, beside the data in the store's folder."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from data_collector.domain.findings import Rejected
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


def write_report(
    store: KlineStore,
    files: Sequence[Mapping[str, Any]],
    rejected: Mapping[str, Sequence[Rejected]],
    *,
    now_ms: int,
) -> tuple[str, str]:
    """Write the report of one import, and the rows that cannot be true; say where they are.

    Args:
        store: what was imported into.
        files: one entry a file.
        rejected: by file; the first rows of each.
        now_ms: names the report.

    Returns:
        Place of the report; place of the rows, empty where there are none.
    """
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    report = {"format": 1, "created_at": moment.isoformat(), "files": list(files)}
    # Two imports may end in one second: the name holds what is in the report, too.
    digest = hashlib.sha256(json.dumps(report, sort_keys=True).encode()).hexdigest()[:8]
    name, place = f"import-{moment:%Y%m%dT%H%M%SZ}-{digest}", store.files.place
    rows = [(file, item) for file, items in rejected.items() for item in items]
    quarantine = f"quarantine/{name}/rows.csv" if rows else ""
    if rows:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["file", "line", "reason", "row"])
        table.writerows([file, item.line, item.reason, item.row] for file, item in rows)
        store.files.write(quarantine, text.getvalue().encode())
        report["quarantine"] = quarantine
    write_json(store.files, f"reports/{name}.json", report)
    return f"{place}/reports/{name}.json", f"{place}/{quarantine}" if rows else ""
