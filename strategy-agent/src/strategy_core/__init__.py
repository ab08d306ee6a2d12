"""Decisions of traders, as a pure library: same replies in, same orders out."""
