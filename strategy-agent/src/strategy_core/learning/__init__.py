"""Learning from labelled trades: labels, splits, training, evaluation, promotion."""
