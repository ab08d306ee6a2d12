"""Time of a world: who waits for it, and what a wake-up shows."""
