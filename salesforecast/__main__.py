"""`python -m salesforecast` is the command line."""

from salesforecast.cli import main

if __name__ == "__main__":
    main()
