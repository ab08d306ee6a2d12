from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.model_server import ModelServer, serving
from tests.support.models_setting import Setting


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving() as told:
        yield told


@pytest.fixture
def setting(tmp_path: Path, server: ModelServer) -> Setting:
    return Setting(folder=tmp_path, url=server.url)
