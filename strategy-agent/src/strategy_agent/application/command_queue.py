"""Commands that were accepted and are not obeyed yet; they outlive a run, and most a process."""

from collections.abc import Sequence

from strategy_core.risk.commands import Command, Resume


class CommandQueue:
    """The commands of one trader in their order.

    A command stays until the memory of the turn that took it is kept: a run that fails before has
    not obeyed it, and the next one takes it again.
    """

    def __init__(self) -> None:
        self._open: list[Command] = []
        self._taken = 0

    @property
    def lasting(self) -> tuple[Command, ...]:
        """What a restart must find again: all that takes something away from the trader.

        A permission to go on is given again by a person who sees what a crash has left.
        """
        return tuple(command for command in self._open if not isinstance(command, Resume))

    def put(self, command: Command) -> None:
        """Accept one."""
        self._open.append(command)

    def take(self) -> tuple[Command, ...]:
        """Hand over those that came since."""
        taken, self._taken = tuple(self._open[self._taken :]), len(self._open)
        return taken

    def obeyed(self) -> bool:
        """Drop those that were taken, as the memory has them now; say whether there were any."""
        taken, self._taken = self._taken, 0
        del self._open[:taken]
        return taken > 0

    def begin(self, kept: Sequence[Command]) -> None:
        """Begin a run: all is to be taken, what an earlier process has kept first."""
        self._open[:0] = [command for command in kept if command not in self._open]
        self._taken = 0

    def clear(self) -> None:
        """Drop all: the world that they were about is over."""
        self._open, self._taken = [], 0
