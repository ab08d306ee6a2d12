"""The strategies that come with the suite."""
