"""Models and trainings of a trader: on disk, and in workers of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from strategy_core.learning.port import Switches
from strategy_core.learning.school import Schools, Shelf
from suite.service.shelves import find_model
from suite.service.worker import Workers


@contextmanager
def schools(
    models: Path, switches: Switches, *, shelf_of: Callable[[str], Shelf], waits: bool
) -> Iterator[Schools]:
    """Give a trader models and trainings while the context is open.

    Args:
        models: folder of models that traders may name.
        switches: of the operator.
        shelf_of: where the trader's own are kept, by trader id.
        waits: the venue owns time, so a result is waited for.
    """
    with Workers("strategy_core.learning.jobs:run") as workers:
        yield Schools(
            shelf_of,
            lambda name: find_model(models, name),
            workers.start,
            waits=waits,
            switches=switches,
        )
