"""Readings as OpenTelemetry metrics: names by its conventions, cumulative sums, and the official SDK to send them."""
