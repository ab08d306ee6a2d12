"""The arena on one page: the same view of a backtest, of paper and of live trading."""
