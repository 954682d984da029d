"""What runs on a host: Python 3.8 and its standard library only, and it writes nothing."""
