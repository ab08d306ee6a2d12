"""What the trader `ict_xgboost` knows of its coins, its trades and its models."""
