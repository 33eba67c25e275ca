"""Rules for Prometheus and dashboards for Grafana, made from tables here and committed beside them."""
