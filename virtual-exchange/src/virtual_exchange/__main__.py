"""`python -m virtual_exchange`: the command without its console script."""

from virtual_exchange.cli import main

if __name__ == "__main__":
    main()
