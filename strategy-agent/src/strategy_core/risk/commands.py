"""What a person or another program may tell a trader."""

from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

import msgspec

Text = Annotated[str, msgspec.Meta(max_length=500)]
Actor = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class _Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the commands.

    Attributes:
        actor: who says so.
        reason: why, for the journal.
    """

    actor: Actor
    reason: Text = ""


class Pause(_Command, frozen=True, kw_only=True, tag="pause"):
    """Take no new risk until someone resumes it.

    Attributes:
        cause: on whose behalf; each is remembered by itself.
    """

    cause: Literal["user", "risk", "strategy", "venue"] = "user"


class Resume(_Command, frozen=True, kw_only=True, tag="resume"):
    """Go on; out of PAUSED by a person or STOPPED only with a reason."""


class Stop(_Command, frozen=True, kw_only=True, tag="stop"):
    """Decide no more.

    Attributes:
        flatten: close the positions too.
    """

    flatten: bool = False


class Flatten(_Command, frozen=True, kw_only=True, tag="flatten"):
    """Close the positions, and take no new risk until someone resumes it."""


class Allocate(_Command, frozen=True, kw_only=True, tag="allocate"):
    """Let limits that are shares of the equity be shares of this much at most.

    Less than is in use closes nothing: it leaves no room for new risk until positions run off.

    Attributes:
        usd: not negative; None for the whole account.
    """

    usd: Decimal | None = None

    def __post_init__(self) -> None:
        if self.usd is not None and not (self.usd.is_finite() and self.usd >= 0):
            raise ValueError(f"usd: {self.usd} is no amount that can be allotted")


Command: TypeAlias = Pause | Resume | Stop | Flatten | Allocate
