"""Module start: how is the command line run? As ``python -m cloudgate``."""

from cloudgate.cli.app import main

if __name__ == "__main__":
    main()
