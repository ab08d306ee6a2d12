"""What `strategy-agent new` writes."""
