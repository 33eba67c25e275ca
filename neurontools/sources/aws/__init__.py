"""AWS's own neuron-monitor as a source: its lines, and what they add up to."""

from neurontools.sources.aws.producer import AWS_COMMAND, Command, Stdin
from neurontools.sources.aws.source import AwsSource

__all__ = ["AWS_COMMAND", "AwsSource", "Command", "Stdin"]
