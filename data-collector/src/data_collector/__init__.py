"""Market data into Parquet, and out again."""
