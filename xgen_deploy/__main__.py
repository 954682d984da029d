"""`python -m xgen_deploy`."""

import sys

from xgen_deploy.cli.main import run

sys.argv[0] = "xgen-deploy"
run()
