"""One report in 24 environments."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.environments import environments, prepared, report_hash

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_one_report_in_twenty_four_environments(
    tmp_path: Path, figure: Callable[[str, str], None]
) -> None:
    folder = prepared(tmp_path, minutes=720)
    hashes = [report_hash(folder, one, f"out-{n}") for n, one in enumerate(environments())]
    figure(
        "X2",
        f"{len(hashes)} environments (hash seed, time zone, locale, one process or five, compiled "
        f"or not): {len(set(hashes))} hash",
    )
    assert len(hashes) == 24
    assert len(set(hashes)) == 1
