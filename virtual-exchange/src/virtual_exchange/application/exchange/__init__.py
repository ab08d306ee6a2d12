"""The native gateway: signed actions, who may send them, and what each of them does."""
