"""Entry points: the only place where a source meets a view or an exporter."""
