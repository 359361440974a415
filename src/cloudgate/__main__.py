"""Module start: how is the command line run? As ``cloudgate``, and as ``python -m cloudgate``."""

from cloudgate.cli.loading import loading


def main() -> None:
    """Console script."""
    with loading():
        from cloudgate.cli.app import main as run  # noqa: PLC0415  it is what takes time
    run()


if __name__ == "__main__":
    main()
