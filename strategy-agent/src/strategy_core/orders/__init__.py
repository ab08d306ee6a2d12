"""What happens to an order between a decision and its last fill. See `docs/execution.md`."""
