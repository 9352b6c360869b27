"""`python -m entangle`: the command line."""

from entangle.cli import main

if __name__ == "__main__":
    main()
