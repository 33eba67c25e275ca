"""What each of Grafana's dashboards shows, as tables; nothing here knows how Grafana wants it written."""

from dashboards.boards.board import Board
from dashboards.boards.fleet import FLEET
from dashboards.boards.health import HEALTH
from dashboards.boards.node import NODE
from dashboards.boards.serving import SERVING

BOARDS: tuple[Board, ...] = (FLEET, NODE, SERVING, HEALTH)

__all__ = ["BOARDS", "Board"]
