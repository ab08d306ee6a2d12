"""Time of a world: who waits for it, what moves it, and what a wake-up shows."""
