"""What every protocol's answer is read into, and how a refusal is read."""

import math
from typing import Any, Final, Literal

import msgspec

from strategy_core.llm.port import FaultKind
from strategy_models.errors import AttemptFailed, Refused
from strategy_models.prices import Usage
from suite.errors import one_line

Finish = Literal["stop", "length", "refused"]

_SAID_MAX: Final = 200
_NO_MONEY: Final = ("insufficient_quota", "credit balance", "insufficient balance", "billing")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said.

    Attributes:
        text: of the answer.
        thinking: what it thought aloud before.
        finish: how it ended.
        usage: tokens as told; None where the provider does not tell.
    """

    text: str
    thinking: str = ""
    finish: Finish = "stop"
    usage: Usage | None = None


class HttpReply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a server, as it came.

    Attributes:
        status: of HTTP.
        body: whole.
        retry_after_s: how long to wait, where it says so.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


def unreadable(text: str) -> AttemptFailed:
    """Make the fault of an answer that is not in the provider's own form."""
    return AttemptFailed(FaultKind.UNREADABLE, text, may_cost=True)


def object_of(body: bytes) -> dict[str, Any]:
    """Read a reply as an object; one of any other form is empty.

    Raises:
        AttemptFailed: it is no JSON.
    """
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise unreadable("the reply is no JSON: it was cut, or is of no model server") from None
    return told if isinstance(told, dict) else {}


def check_status(reply: HttpReply, name: str) -> None:
    """Read a refusal; an answer passes.

    Args:
        reply: of the provider.
        name: of provider and model, for the message.

    Raises:
        AttemptFailed: it is no answer.
    """
    status = reply.status
    if 200 <= status < 300:
        return
    said = _said(reply.body)
    told = f": {said}" if said else ""
    lower = said.lower()
    if status in {401, 403}:
        raise AttemptFailed(
            FaultKind.KEY_REFUSED, f"{name} does not accept the key (HTTP {status}){told}"
        )
    if status == 402 or any(word in lower for word in _NO_MONEY):
        raise AttemptFailed(FaultKind.QUOTA, f"the account at {name} has no money left{told}")
    if status == 429:
        raise AttemptFailed(
            FaultKind.RATE_LIMITED,
            f"{name} wants fewer questions{_rest(reply.retry_after_s)}{told}",
            again=True,
            after_s=reply.retry_after_s,
        )
    if status in {408, 409, 425} or status >= 500:
        raise AttemptFailed(
            FaultKind.UNREACHABLE,
            f"{name} failed with HTTP {status}{told}",
            again=True,
            after_s=reply.retry_after_s,
            is_down=True,
        )
    raise Refused(f"{name} refuses the question (HTTP {status}){told}", said)


def _rest(seconds: float | None) -> str:
    """Say for how long; nothing where the provider does not."""
    return "" if seconds is None else f" for {max(1, math.ceil(seconds)):,} s"


def text_of(value: Any) -> str:
    """Read a text that may be missing, or in parts."""
    if isinstance(value, list):
        return "".join(text_of(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def count_of(value: Any) -> int:
    """Read a number of tokens; 0 where it is none."""
    return value if isinstance(value, int) and 0 <= value < 1 << 40 else 0


def _said(body: bytes) -> str:
    """Find the message of an error, in whichever form."""
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = body[:_SAID_MAX].decode(errors="replace")
    for _ in range(3):
        if isinstance(told, list) and told:
            told = told[0]
        if isinstance(told, dict):
            parts = [told.get(name) for name in ("message", "code", "type", "param")]
            texts = [part for part in parts if isinstance(part, str) and part]
            told = told.get("error", " ".join(texts) or None)
    return one_line(told)[:_SAID_MAX] if isinstance(told, str) else ""
