"""The entry point of `slime`."""


def main() -> int:
    """Run the command line in `sys.argv` and return its exit code."""
    return 0
