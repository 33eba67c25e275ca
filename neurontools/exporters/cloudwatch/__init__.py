"""Readings as CloudWatch metrics: what is published under which name, requests within the service's limits, a spool."""
