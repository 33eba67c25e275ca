"""Values that the options of `neuron-model` take, checked: each function is argparse's type of one."""

import argparse

_MAX_SPEED = 1e6
_MAX_SEED = 2**63 - 1


def seed(text: str) -> int:
    """The number of a stream of chance."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _MAX_SEED):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {_MAX_SEED}, found {text!r:.40}")
    return int(text)


def core(text: str) -> int:
    """The number of a NeuronCore; whether there is such a one the model knows."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"expected the number of a NeuronCore, from 0, found {text!r:.40}")
    return int(text)


def speed(text: str) -> float:
    """How many times as fast as real time; 0 is stepped."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _MAX_SPEED:
        raise argparse.ArgumentTypeError(f"expected a number from 0 (stepped) to {_MAX_SPEED:.0f}, found {text!r:.40}")
    return value


def socket(text: str) -> str:
    """A socket that is named: see `directory`."""
    if not text:
        raise argparse.ArgumentTypeError("expected the path of a socket, found nothing")
    return text


def directory(text: str) -> str:
    """A directory that is named: what an unset variable leaves would be the current one."""
    if not text:
        raise argparse.ArgumentTypeError("expected a directory, found nothing")
    return text
