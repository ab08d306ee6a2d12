"""The HTTP routes and the console."""
