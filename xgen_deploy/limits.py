"""How much a host may send; more is an error of that host. Bytes unless stated otherwise.
docs/security.md lists the limits.
"""

# Output of a login shell, sudo and sshd before the program on the host starts.
PREAMBLE = 1 << 20
# The probe's document.
DOCUMENT = 64 << 20
# One answer of the agent: at most a file or a body of 16 MiB, in base64.
ANSWER = 32 << 20
# Standard error is kept up to this, from its end.
STDERR = 1 << 16
# A project's record.
RECORD = 16 << 20
# A manifest as it was applied.
MANIFEST = 1 << 20
# Projects on a host that are read.
PROJECTS = 100
# Entries in a record: hosts of the project, instances, changes of one apply.
HOSTS = 10_000
INSTANCES = 1000
CHANGES = 3000
# The same, cordons of a host.
CORDONS = 64
# One entry of the history, and how many of the newest are kept and read.
HISTORY_ENTRY = 1 << 20
HISTORY_ENTRIES = 50
# An HTTP page of an engine or a gateway, the watchdog's state file.
PAGE = 16 << 20
# Lines about files of models that lie on a host, checks and removals of them.
STORED_FILES = 300_000
