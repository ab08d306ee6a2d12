"""Files of others, and our own reports."""
