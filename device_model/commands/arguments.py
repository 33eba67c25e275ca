"""The options that several verbs share."""

import argparse

from device_model.commands.option_values import seed

DEFAULT_SCENARIO = "opt-30b"


def add_model(parser: argparse.ArgumentParser) -> None:
    """What a model is made from: --scenario, --instance and --seed."""
    parser.add_argument(
        "--scenario", default=DEFAULT_SCENARIO, metavar="NAME|FILE", help="what runs on the host (default: %(default)s)"
    )
    parser.add_argument("--instance", metavar="TYPE", help="another instance type than the scenario's")
    parser.add_argument("--seed", type=seed, metavar="N", help="another seed than the scenario's")
