"""What the author of a strategy runs on it before it trades.

    found = examine(kind_of(Mine))
    assert () == found.findings

`rehearsal` makes a market and an account in which everything happens that may, from a seed;
`examination` puts a strategy into it and lists what it does against the protocol (docs/plugins.md).
"""
