"""Wire to wishes, and what is so to wire."""
