"""The WebSocket's channels: who listens, and what each is told when the world has changed."""
