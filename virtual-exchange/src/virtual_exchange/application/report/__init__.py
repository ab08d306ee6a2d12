"""What is left of a run: its report as data, bytes and page."""
