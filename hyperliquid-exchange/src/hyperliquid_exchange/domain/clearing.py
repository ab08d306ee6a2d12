"""Who may allow again what was forbidden: setting is cheap, clearing is expensive.

| Level | Cleared by |
| --- | --- |
| PAUSED | the component that set it, or a person |
| STOPPED | a person |
| KILLED | a person with `risk:resume`, typed words, after a clean preflight |

Source: reliability reference 3.1.
"""

from dataclasses import dataclass
from typing import Final

from hyperliquid_exchange.domain.safety import EVERYBODY, Cause, Level
from suite.ids import TraderId

ALL: Final = "all"
"""How people name the scope of everybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing:
    """An attempt to allow again.

    Attributes:
        by: component, or name of the token.
        is_person: somebody with a token that resumes, and no component.
        may_end_kill: the token has `risk:resume` by name.
        words: what was typed.
        preflight: why it is not clean and recent; empty where it is.
    """

    by: str
    is_person: bool = False
    may_end_kill: bool = False
    words: str = ""
    preflight: str = "there is none"


def words_for(scope: TraderId | str) -> str:
    """What has to be typed to end a kill."""
    return f"resume {scope_name(scope)}: positions and orders were looked at"


def scope_name(scope: TraderId | str) -> str:
    """Name a scope for people."""
    return ALL if scope == EVERYBODY else scope


def clearing_refusal(cause: Cause, clearing: Clearing) -> str:
    """Tell why a cause stays; empty where it may be cleared."""
    match cause.level:
        case Level.LIVE:
            return ""
        case Level.PAUSED:
            is_own = clearing.by == cause.by
            return "" if is_own or clearing.is_person else f"set by {cause.by}, who clears it"
        case Level.STOPPED:
            return "" if clearing.is_person else "a person must resume what is STOPPED"
    if not (clearing.is_person and clearing.may_end_kill):
        return "a kill is ended by a token with risk:resume by name"
    if clearing.words != words_for(cause.scope):
        return f"to end a kill, type exactly: {words_for(cause.scope)}"
    return f"preflight: {clearing.preflight}" if clearing.preflight else ""
