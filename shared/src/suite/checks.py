"""Assertions that never turn off."""


class InvariantViolated(Exception):
    """A promise of the program is broken: a bug, never an operating condition.

    It is not caught below `main`: the process stops and replays its journal.
    """


def check(condition: object, message: str) -> None:
    """Stop the program when a promise is broken.

    Args:
        condition: what must hold, by its truth value.
        message: what is wrong when it does not, without secrets.

    Raises:
        InvariantViolated: the condition is false.
    """
    if not condition:
        raise InvariantViolated(message)
