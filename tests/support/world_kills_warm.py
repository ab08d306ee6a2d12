"""For a server of child processes: imports what they need, and has it compiled."""

from tests.support.world_kills import warm

warm()
