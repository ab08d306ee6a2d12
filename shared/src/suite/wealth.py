"""What one dollar became: growth of an account, whatever was paid in or taken out."""

import numpy as np

from suite.bars import F64, I64


def wealth_index(value_usd: I64, deposits_usd: I64) -> F64:
    """Chain-link the growth between deposits.

    `I[t] = I[s] * (V[t] - F[t]) / V[s]`, where s is the last sample with a deposit or withdrawal
    before t, and F what came in since the sample before t. A deposit counts as made at the very
    end of its step: with a sample right after each deposit, the result is exact.

    Args:
        value_usd: shape (n,), equity less what was spent for the trader elsewhere.
        deposits_usd: shape (n,), cumulative, withdrawals negative.

    Returns:
        Shape (n,), 1 at the first sample; 0 from the ruin on: nothing left before what came in, or
        in debt from the start. While an account is empty but never lost everything, it stays.

    Source: CFA Institute, "Global Investment Performance Standards", 2020, time-weighted return.
    """
    flows = np.diff(deposits_usd, prepend=deposits_usd[0])
    before = value_usd - flows
    linked = flows != 0
    stretch = np.cumsum(linked)  # which stretch between deposits a sample begins or is in
    starts = np.concatenate([[0], np.flatnonzero(linked)])
    base = value_usd[starts].astype(np.float64)
    # A step that ends in a deposit belongs to the stretch before it.
    belongs = stretch - linked
    factor = np.ones(len(value_usd))
    np.divide(before, base[belongs], out=factor, where=base[belongs] > 0)
    grown = np.concatenate([[1.0], np.cumprod(factor[starts[1:]])])
    index: F64 = grown[belongs] * factor
    ruined = (before <= 0) & (base[belongs] > 0)
    ruined[0] |= value_usd[0] < 0
    index[np.maximum.accumulate(ruined)] = 0.0
    return index
