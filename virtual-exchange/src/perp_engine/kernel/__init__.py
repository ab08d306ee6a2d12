"""Every rule of the market, as plain functions over one int64 buffer, compiled or interpreted.

Read in this order: `jit` (the two modes), `layout` (the buffer), `ledger` (money), `margin`,
`orders` (the order table), `filling` (one trade), `placing` (what happens when an order arrives),
`path` (what a bar does to what rests), `run` (time). Refusals are negative numbers, a broken
book is a status word: nothing raises here.
"""
