"""How a command ends that could not do its work: one line of cause, one of advice, an exit code."""

import errno

FAILED = 1
USAGE = 64
SOFTWARE = 70
"""A defect of ours, as BSD's sysexits number it."""
NOT_EXECUTABLE = 126
NOT_FOUND = 127
SIGNALLED = 128
"""Plus the signal's number, as a shell reports it."""


class Failure(Exception):  # noqa: N818 (an outcome of a command, told to people)
    """The cause in one line (several for a scenario with several faults), what to do next, and the exit code."""

    def __init__(self, message: str, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


_ADVICE = {
    errno.ENOSPC: "free some space there and try again",
    errno.EDQUOT: "your quota is used up: free some space there and try again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f) and try again",
    errno.EACCES: "choose a place that you may write to",
    errno.EROFS: "choose a place that you may write to",
    errno.ENOENT: "make the directory first, or choose another",
    errno.ENOTDIR: "a part of the path is no directory: choose another",
    errno.EISDIR: "give the path of a file",
}


def of_system(what: str, path: str, error: OSError) -> Failure:
    """The failure for a system call that went wrong: `what` names the attempt, such as "cannot write"."""
    # The advice is about places to write to; of a file to read, the cause says all.
    hint = "" if what == "cannot read" else _ADVICE.get(error.errno or 0, "")
    return Failure(f"{what} {path}: {error.strerror or error}", hint)
