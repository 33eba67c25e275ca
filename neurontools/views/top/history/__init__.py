"""What neuron-top remembers of the last hour: readings to go back to, numbers to draw, events and findings."""

from neurontools.views.top.history.history import History
from neurontools.views.top.history.rows import Row, Rows

__all__ = ["History", "Row", "Rows"]
