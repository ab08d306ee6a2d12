"""What changed since the last look, for those who watch: one picture, and then differences.

A message is made once, whoever many listen. One that does not keep up is told to begin anew.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

WAITING_MAX: Final = 64
"""Messages that wait for one listener."""
_encode = msgspec.json.Encoder(decimal_format="number").encode

Picture = Mapping[str, Any]
"""Sections by name; `traders` has a row for each id."""


def differences(before: Picture, after: Picture) -> dict[str, Any]:
    """Say what is otherwise.

    Args:
        before, after: `portfolio` and each row of `traders` are compared field by field, other
            sections as a whole.

    Returns:
        Changed fields and sections; `gone` has ids that are no more. Empty where all is the same.
    """
    changes: dict[str, Any] = {}
    for name, section in after.items():
        known = before.get(name)
        if name == "traders":
            rows = {
                one: fields
                for one, row in section.items()
                if (fields := _fields(before.get(name, {}).get(one, {}), row))
            }
            gone = [one for one in before.get(name, {}) if one not in section]
            changes |= ({"traders": rows} if rows else {}) | ({"gone": gone} if gone else {})
        elif name == "portfolio":
            if fields := _fields(known or {}, section):
                changes[name] = fields
        elif section != known:
            changes[name] = section
    return changes


def _fields(before: Picture, after: Picture) -> dict[str, Any]:
    nothing = object()
    return {name: value for name, value in after.items() if before.get(name, nothing) != value}


@dataclass(eq=False)
class _Listener:
    waiting: deque[bytes] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_behind: bool = True


class Broadcast:
    """The present picture, and those who watch it.

    Attributes:
        picture: the last one; empty before the first.
        number: of its message.
    """

    def __init__(self) -> None:
        self.picture: Picture = {}
        self.number = 0
        self._listeners: set[_Listener] = set()
        self._is_over = False

    @property
    def listeners(self) -> int:
        """How many watch."""
        return len(self._listeners)

    def publish(self, picture: Picture, events: Mapping[str, Any]) -> None:
        """Tell a new picture, and what else happened since the last one.

        Args:
            picture: all of it.
            events: that are told once, as new fills; those that come later do not hear of them.
        """
        before, self.picture = self.picture, picture
        changes = {**differences(before, picture), **{k: v for k, v in events.items() if v}}
        if not changes:
            return
        self.number += 1
        if not self._listeners:
            return
        message = _message("changes", self.number, changes)
        for one in self._listeners:
            if len(one.waiting) >= WAITING_MAX:
                one.waiting.clear()
                one.is_behind = True
            if not one.is_behind:
                one.waiting.append(message)
            one.woken.set()

    def end(self) -> None:
        """Let all go who watch: the service ends."""
        self._is_over = True
        for one in self._listeners:
            one.woken.set()

    async def listen(self, *, quiet_s: float) -> AsyncIterator[bytes]:
        """Tell the picture, then each change, as server-sent events.

        Args:
            quiet_s: after which a comment is sent, so that a dead connection is noticed.
        """
        one = _Listener()
        one.woken.set()
        self._listeners.add(one)
        try:
            while not self._is_over:
                try:
                    async with asyncio.timeout(quiet_s):
                        await one.woken.wait()
                except TimeoutError:
                    yield b": quiet\n\n"
                    continue
                one.woken.clear()
                if one.is_behind and self.picture:
                    one.is_behind = False
                    yield _message("snapshot", self.number, self.picture)
                while one.waiting:
                    yield one.waiting.popleft()
        finally:
            self._listeners.discard(one)


def _message(event: str, number: int, body: Mapping[str, Any]) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, event.encode(), _encode(body))
