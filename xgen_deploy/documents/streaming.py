"""The commands whose `--json` is a line for each event; the last one is `end`."""

STREAMING = ("apply", "rollback", "destroy", "cordon", "uncordon", "fetch")
