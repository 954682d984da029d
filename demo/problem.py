"""What can go wrong in the demo, as a sentence."""


class DemoError(Exception):
    """Its text is for the person at the terminal: what was found, what to do."""
