"""Puts the tools on a host without harm: links, manual pages and shell completion. No part of the wheel."""
