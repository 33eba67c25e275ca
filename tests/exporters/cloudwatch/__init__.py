"""Tests of the CloudWatch exporter."""
