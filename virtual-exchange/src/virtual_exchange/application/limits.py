"""How many actions an account may send, against what it has traded."""

from virtual_exchange.application.activity import Activities
from virtual_exchange.domain.rate_limits import ActionBudgets


class ActionLimits:
    """The action budgets of one world's accounts.

    Whoever lets actions in asks `refusal` first, where limits are on, and then notes them with
    `count`; a refused envelope costs nothing.
    """

    def __init__(self, activities: Activities) -> None:
        self._activities = activities
        self._budgets = ActionBudgets()

    def refusal(self, account: int, *, cancels: bool, now_ms: int) -> str | None:
        """Say in the venue's words why an account may send nothing now, None when it may.

        Args:
            account: its index.
            cancels: the action only cancels; for those the cap is higher.
            now_ms: wall time.
        """
        volume = self._activities.of(account).total_usd
        return self._budgets.refusal(account, volume_usd=volume, cancels=cancels, now_ms=now_ms)

    def count(self, account: int, actions: int) -> None:
        """Note actions that were let in; a batch of n counts n, whatever became of them."""
        self._budgets.count(account, actions)

    def used(self, account: int) -> int:
        """Actions an account has sent."""
        return self._budgets.used(account)

    def cap(self, account: int) -> int:
        """Actions it may send."""
        return self._budgets.cap(self._activities.of(account).total_usd)
