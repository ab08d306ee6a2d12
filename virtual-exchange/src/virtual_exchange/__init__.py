"""A simulated exchange that speaks Hyperliquid's protocol and owns time."""
