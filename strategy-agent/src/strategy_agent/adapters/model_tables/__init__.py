"""Models of traders in PostgreSQL."""

from strategy_agent.adapters.model_tables.tables import ModelTables, TableShelf

__all__ = ["ModelTables", "TableShelf"]
