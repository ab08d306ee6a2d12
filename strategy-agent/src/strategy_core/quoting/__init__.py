"""Quotes on both sides of the mid: where they stand, when they move, when they are taken away."""
