"""The ways a command fails: the user's input is wrong (exit 2), a run could not finish (exit 1), or was stopped."""

__all__ = ["InputError", "Interrupted", "RunError", "Stopped"]


class _OneLine(Exception):
    """An error whose message is one line, whatever line breaks the names of files and members in it hold."""

    def __str__(self) -> str:
        return r"\n".join(super().__str__().splitlines())


class InputError(_OneLine, ValueError):
    """Bad input. The message is one line that names the file, the row where there is one, and how to fix it."""


class RunError(_OneLine, RuntimeError):
    """A run that started on good input could not finish. The message names the cause and how to fix it."""

    status = 1


class Stopped(RunError):
    """A run was asked to stop and has saved what it needs to go on; exit status 75, "try again later" (sysexits.h)."""

    status = 75


class Interrupted(Stopped):
    """The same, asked for at the keyboard; exit status 130, as shells expect after Ctrl-C."""

    status = 130
