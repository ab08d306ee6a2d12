"""What the gate says of an action."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Judgement of one action.

    Attributes:
        coins: that it is about.
        adds_risk: it may make a position larger, or take away what protects one.
        refusal: why it may not leave, `rule: reason`; None where it may.
        number: of the verdict, by which the gate knows it again.
    """

    coins: tuple[str, ...]
    adds_risk: bool
    refusal: str | None
    number: int = 0
