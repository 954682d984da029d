"""The Python that a host needs, and what is said where its own will not do. Pure."""

OLDEST = (3, 8)
_OLDEST = f"{OLDEST[0]}.{OLDEST[1]} or newer"
PYTHON = f"Python {_OLDEST}"
TOO_OLD = f"its python3 is %s, but {_OLDEST} is required"
INCOMPLETE = "its python3 (%s) lacks the module %s"
INSTALL_PYTHON = (
    f"Install {PYTHON} there (`apt-get install python3`), or name an interpreter in the "
    "inventory: `ansible_python_interpreter: /path/to/python3`."
)
