"""Modules that a command needs once its hosts have answered: imported while they do (see
run/run.py), which takes 0.1 s off its time.
"""

PLANNING = ("xgen_deploy.cli.planning", "rich.console")
APPLYING = ("xgen_deploy.apply.flow", "xgen_deploy.cli.operator", "rich.console")
