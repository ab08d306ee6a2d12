"""The portfolio: profit of every instance, allocation, and the dashboard."""
