"""What no host could carry out, and what has no effect."""
