"""One account as a venue pushes it, held against what its own messages say."""
