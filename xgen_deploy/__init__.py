"""Declarative deployment of language-model servers on GPU hosts, over SSH."""

__version__ = "0.2.0"
