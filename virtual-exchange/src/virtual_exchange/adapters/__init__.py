"""The outside world: the kline store, processes, files."""
