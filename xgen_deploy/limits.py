"""How much a host may send. More is that host's error, said in a sentence. Bytes unless said
otherwise; docs/security.md lists them.
"""

# What a login shell, sudo and sshd print before the program there begins.
PREAMBLE = 1 << 20
# The probe's document.
DOCUMENT = 64 << 20
# One answer of the agent: a file or a body of 16 MiB in base64 is the longest that is asked for.
ANSWER = 32 << 20
# What is kept of standard error: its end.
STDERR = 1 << 16
# A project's record.
RECORD = 16 << 20
# What a record may name: hosts of the project, instances, clauses of one apply.
HOSTS = 10_000
INSTANCES = 1000
CHANGES = 3000
# One entry of the history, and how many are kept and read, the newest.
HISTORY_ENTRY = 1 << 20
HISTORY_ENTRIES = 50
# A page of an engine or of a gateway, the watchdog's memory.
PAGE = 16 << 20
