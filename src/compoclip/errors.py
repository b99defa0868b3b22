"""The two ways a command fails: the user's input is wrong (exit 2), or a run could not finish (exit 1)."""


class InputError(ValueError):
    """Bad input. The message is one line that names the file, the row where there is one, and the mend."""


class RunError(RuntimeError):
    """A run that started on good input could not finish. The message names the cause and the mend."""
