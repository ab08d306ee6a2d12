"""Models and trainings of a trader: on disk, and in workers of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strategy_core.learning.port import Switches
from strategy_core.learning.school import Schools
from suite.service.shelves import FolderShelf, MemoryShelf, find_model
from suite.service.worker import Workers


@contextmanager
def schools(
    models: Path, switches: Switches, *, folder: Path | None, waits: bool
) -> Iterator[Schools]:
    """Give a trader models and trainings while the context is open.

    Args:
        models: folder of models that traders may name.
        switches: of the operator.
        folder: where the trader's own are kept, by trader id; None keeps them in memory.
        waits: the venue owns time, so a result is waited for.
    """
    with Workers("strategy_core.learning.jobs:run") as workers:
        yield Schools(
            lambda trader: MemoryShelf() if folder is None else FolderShelf(folder / trader),
            lambda name: find_model(models, name),
            workers.start,
            waits=waits,
            switches=switches,
        )
