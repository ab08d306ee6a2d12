"""What market data must be like; no files, no network, no clock."""
