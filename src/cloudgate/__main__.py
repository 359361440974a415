"""The command line, as ``python -m cloudgate``."""

from cloudgate.cli.app import main

if __name__ == "__main__":
    main()
