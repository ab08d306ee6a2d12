"""Numbers of a trader's decisions: they rise, whoever runs it and whatever that one remembers."""

from typing import Final

_OF_A_FENCE: Final = 1_000_000_000


def numbers_before(fence: int) -> int:
    """Tell the number that decisions under a fence begin after.

    Who has claimed a trader and does not know how far it was counts on from there, so that no
    number is given twice: 3,000,000,017 is the 17th under fence 4.

    Args:
        fence: of the lease, from 1.
    """
    return (fence - 1) * _OF_A_FENCE
