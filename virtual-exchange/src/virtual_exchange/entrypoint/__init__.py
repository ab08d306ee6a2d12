"""Wire to commands, and results to wire."""
