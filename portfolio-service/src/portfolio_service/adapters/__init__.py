"""The outside: the manager, the database, other services, files."""
