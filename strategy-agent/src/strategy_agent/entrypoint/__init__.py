"""The agent's own face: what it is doing right now."""
