"""Modules that a command needs once its hosts have answered. They are imported meanwhile (see
run/run.py), which saves 0.1 s.
"""

PLANNING = ("xgen_deploy.cli.planning", "rich.console")
FETCHING = ("xgen_deploy.plan.build", "xgen_deploy.apply.fetch", "rich.console")
APPLYING = ("xgen_deploy.apply.flow", "xgen_deploy.cli.terminal", "rich.console")
