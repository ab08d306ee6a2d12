"""The process of a trader: carries out what `strategy_core` decides, at any venue of the suite."""
