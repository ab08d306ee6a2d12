"""What stands between a decision and the venue: limits, form, exposure, statuses."""
