"""The arena: all traders of a file over one history, in parts that run side by side."""
