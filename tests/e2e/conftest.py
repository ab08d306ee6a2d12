"""What more than one module of real processes starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.browser import Browser, find_chromium, running
from tests.support.manager_process import end_traders
from tests.support.postgres_servers import open_folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A real one; left out where there is none."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    with running(chromium, tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture
def home() -> Iterator[Path]:
    """Folder of a manager; the traders that it leaves are ended."""
    with open_folder() as folder:
        yield folder
        end_traders(folder)
