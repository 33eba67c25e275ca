"""Rules and findings, on simulated hosts and on hosts made of files."""
