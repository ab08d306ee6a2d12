"""How one attempt at a provider fails, before anybody decides what follows from it."""

from strategy_core.llm.port import FaultKind


class AttemptFailed(Exception):
    """There is no usable answer to one attempt.

    Args:
        kind: why.
        text: one line, without secrets.
        again: the same may succeed a little later.
        after_s: how long to wait before that, where the provider said so.
        may_cost: the provider may have worked, and may charge for it.
        is_down: it tells against the provider as a whole, not against the question.
    """

    def __init__(
        self,
        kind: FaultKind,
        text: str,
        *,
        again: bool = False,
        after_s: float | None = None,
        may_cost: bool = False,
        is_down: bool = False,
    ) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text
        self.again = again
        self.after_s = after_s
        self.may_cost = may_cost
        self.is_down = is_down


class Refused(AttemptFailed):
    """The provider does not take the question as it was put; perhaps otherwise.

    Args:
        text: one line, without secrets.
        said: what the provider said, to find out which option it dislikes.
    """

    def __init__(self, text: str, said: str) -> None:
        super().__init__(FaultKind.REFUSED, text)
        self.said = said
