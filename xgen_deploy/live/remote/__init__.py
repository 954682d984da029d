"""The program that reports a host's values; Python 3.8 and its standard library."""
