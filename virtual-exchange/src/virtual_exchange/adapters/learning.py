"""Models and trainings of traders in backtests of this process: gone with the run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strategy_core.learning.port import Switches
from strategy_core.learning.school import Schools
from suite.service.shelves import MemoryShelf, find_model
from suite.service.worker import Workers


@contextmanager
def schools(models: Path, switches: Switches) -> Iterator[Schools]:
    """Give traders models and trainings while the context is open; a result is waited for.

    Args:
        models: folder of models that traders may name.
        switches: of the operator.
    """
    with Workers("strategy_core.learning.jobs:run") as workers:
        yield Schools(
            lambda _: MemoryShelf(),
            lambda name: find_model(models, name),
            workers.start,
            waits=True,
            switches=switches,
        )
