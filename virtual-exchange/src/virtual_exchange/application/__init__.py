"""What the service does: worlds, the venue in them, their clock, their reads, backtests."""
