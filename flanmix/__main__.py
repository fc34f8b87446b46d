"""`python -m flanmix` is the command line."""

from flanmix.cli import main

if __name__ == "__main__":
    main()
