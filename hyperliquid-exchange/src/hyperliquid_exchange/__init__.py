"""The live venue: it holds the keys and a risk gate, and forwards to Hyperliquid."""
