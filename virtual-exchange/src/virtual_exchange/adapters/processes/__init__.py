"""Processes of their own: traders, and backtests."""
