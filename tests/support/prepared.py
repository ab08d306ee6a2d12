"""What a server of child processes has loaded before it makes the first.

A process has one such server, begun with the first child, so all who make children name the same.
"""

from typing import Final

PREPARED: Final = ["tests.support.journal_kills", "tests.support.world_kills_warm"]
"""Modules."""
