"""`CommandError`, which `slime` shows as a single line."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """A command cannot do what was asked. The text is shown to the user as it is, without a traceback.

    `exit_code` is what `slime` exits with: 2 where the command line itself is wrong, 1 otherwise.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
