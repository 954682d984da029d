"""Which version of the unit templates this tool renders.

Raised once a release when a template that shapes a unit has changed since the last one: units
of an older version run on as they are, and `apply --refresh` writes them anew. A test keeps the
digests of those templates (tests/upgrade/templates.sha256). 0.1.0 wrote version 1.
"""

UNIT_VERSION = 2
