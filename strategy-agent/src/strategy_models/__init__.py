"""Language models over the network: providers, prices, budgets, cassettes, a small local model.

`opening.open_models` makes what a process hands to its traders (`strategy_core.llm.port`).
"""
