"""The world outside: the venue over HTTP, the journal on disk, files and plugins."""
