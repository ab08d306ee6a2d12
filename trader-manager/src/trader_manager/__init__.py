"""The fleet: the wanted state of every trader, and what becomes of it."""
