"""Whether this system lets tests mount, and the mark of those that must."""

import os
import subprocess
import sys

import pytest

_NEW_NAMESPACE = 0x20000


def forbidden() -> str:
    """Why this system makes no mount namespace for us; nothing where it does."""
    if os.geteuid():
        return "only root can mount"
    script = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({_NEW_NAMESPACE}) != 0)"
    refused = subprocess.run([sys.executable, "-S", "-c", script], check=False).returncode
    return "the kernel makes no mount namespace here" if refused else ""


mountable = pytest.mark.skipif(bool(reason := forbidden()), reason=reason)
