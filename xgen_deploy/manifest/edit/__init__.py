"""Edits of a manifest's text: only the lines that change, and what was meant is what is read."""
