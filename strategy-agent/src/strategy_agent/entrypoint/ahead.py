"""How far a long command is, and how long the rest will take."""

import time
from collections.abc import Callable, Sequence

import typer


class Ahead:
    """Tells of steps as they are done, with an estimate from those that were not kept.

    Args:
        names: of the steps.
        seconds: a clock that only goes forward.
    """

    def __init__(
        self, names: Sequence[str], *, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._names = names
        self._seconds = seconds
        self._begun = seconds()
        self._fresh = 0

    def tell(self, done: int, fresh: int) -> None:
        """Say that a step is done.

        Args:
            done: so many are.
            fresh: so many of them were not found done.
        """
        name, left = self._names[done - 1], len(self._names) - done
        was_kept, self._fresh = fresh == self._fresh, fresh
        spent = self._seconds() - self._begun
        rest = ""
        if left and self._fresh:
            rest = f", about {left * spent / self._fresh:.0f} s to go"
        how = "kept from before" if was_kept else f"{spent:.0f} s{rest}"
        typer.echo(f"walked {done} of {len(self._names)} ({how}): {name}", err=True)
