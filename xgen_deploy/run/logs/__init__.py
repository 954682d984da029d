"""Logs on hosts: how they are asked for, and what comes."""
