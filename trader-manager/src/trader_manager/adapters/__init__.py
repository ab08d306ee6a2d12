"""The outside world: processes, agents, the database, files."""
