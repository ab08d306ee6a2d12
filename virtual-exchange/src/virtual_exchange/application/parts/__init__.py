"""A backtest in parts: a run for some of the traders, and all of them as one run."""
