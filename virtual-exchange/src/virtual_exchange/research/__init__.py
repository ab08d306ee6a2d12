"""Research: many backtests as one run, and what their results are worth."""
