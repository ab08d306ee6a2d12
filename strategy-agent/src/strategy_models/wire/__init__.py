"""The two protocols: what a question looks like, what an answer means."""
