"""Import this before paramiko: it then comes without invoke, which it needs only for `Match exec`
in its own reader of ssh_config, not used here, and which takes a third of its time to import."""

import sys

if "paramiko" not in sys.modules and "invoke" not in sys.modules:
    sys.modules["invoke"] = None  # type: ignore[assignment]  # makes its import an ImportError
    try:
        import paramiko as paramiko
    finally:
        del sys.modules["invoke"]
