"""The native door: signed actions, who may send them, and what each of them does."""
