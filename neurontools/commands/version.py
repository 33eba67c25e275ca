"""Which release this is."""


def version() -> str:
    """The installed release's number; "unknown" where the package runs without being installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("neurontools")
    except PackageNotFoundError:
        return "unknown"
