"""Hosts in memory for commands that look at hosts."""

from tests.apply.conftest import gateway_site, make_site

__all__ = ["gateway_site", "make_site"]
