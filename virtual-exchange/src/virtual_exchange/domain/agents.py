"""API wallets: keys that may trade for an account, and for nothing else."""

import re
from dataclasses import dataclass
from typing import Final

from suite.addresses import NOBODY
from suite.bars import DAY_MS

_NAMED: Final = 3
_NAMED_PER_SUB_ACCOUNT: Final = 2
_NAME_LENGTH: Final = 16
_LIFETIME_MS: Final = 90 * DAY_MS
_LONGEST_MS: Final = 180 * DAY_MS
_UNTIL: Final = re.compile(r"^(.*?) ?valid_until (\d{1,16})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One API wallet.

    Attributes:
        address: lower-case.
        account: it may act for, with that account's sub-accounts.
        name: empty for the one without.
        valid_until_ms: wall time from which it may no more; None for never.
    """

    address: str
    account: int
    name: str
    valid_until_ms: int | None

    def is_valid(self, now_ms: int) -> bool:
        """Whether it may act at a wall time."""
        return self.valid_until_ms is None or now_ms < self.valid_until_ms


class Agents:
    """The API wallets of a world.

    Source: venue documentation, "API wallets", read 2026-11.
    """

    def __init__(self) -> None:
        self._by_address: dict[str, Agent] = {}
        self._by_name: dict[tuple[int, str], Agent] = {}
        self._used: set[str] = set()

    def find(self, address: str, now_ms: int) -> Agent | None:
        """The agent of an address that is valid now."""
        agent = self._by_address.get(address)
        return agent if agent is not None and agent.is_valid(now_ms) else None

    def of(self, account: int) -> list[Agent]:
        """Those of an account, the unnamed one first."""
        own = [agent for (owner, _), agent in self._by_name.items() if owner == account]
        return sorted(own, key=lambda agent: agent.name)

    def add(self, agent: Agent) -> None:
        """Let an agent act from now on, in place of the one of its name."""
        before = self._by_name.get((agent.account, agent.name))
        if before is not None:
            del self._by_address[before.address]
        self._by_address[agent.address] = self._by_name[agent.account, agent.name] = agent
        self._used.add(agent.address)

    def approve(
        self, account: int, address: str, name: str, *, now_ms: int, sub_accounts: int
    ) -> str | None:
        """Let an address act for an account; tell in the venue's words why it may not.

        Args:
            account: that approves.
            address: lower-case; that of nobody revokes.
            name: may end in ` valid_until <ms>`.
            now_ms: wall time.
            sub_accounts: how many the account has; each allows for more agents.
        """
        until = now_ms + _LIFETIME_MS
        if (match := _UNTIL.match(name)) is not None:
            name, until = match[1], int(match[2])
            if not now_ms < until <= now_ms + _LONGEST_MS:
                return "Agent valid_until already expired."
        if len(name) > _NAME_LENGTH:
            return f"Agent name is longer than {_NAME_LENGTH} characters."
        key = (account, name)
        if address == NOBODY:
            agent = self._by_name.pop(key, None)
            if agent is not None:
                del self._by_address[agent.address]
            return None
        if address in self._used:
            return "Extra agent already used."
        limit = _NAMED + _NAMED_PER_SUB_ACCOUNT * sub_accounts
        named = [owned for owned in self.of(account) if owned.name and owned.is_valid(now_ms)]
        if name and key not in self._by_name and len(named) >= limit:
            return f"Too many extra agents for cumulative volume traded. Current limit is {limit}"
        self.add(Agent(address=address, account=account, name=name, valid_until_ms=until))
        return None
