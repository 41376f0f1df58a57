"""`python -m diascope`: the same program, for `torchrun -m diascope`."""

from diascope.cli import main

if __name__ == "__main__":
    main()
