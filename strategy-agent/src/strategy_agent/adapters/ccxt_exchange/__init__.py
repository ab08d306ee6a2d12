"""Any exchange of ccxt as an exchange connection."""
