"""The version of the unit templates that this tool renders.

It is raised at most once a release, when a template that shapes a unit has changed. Units of an
older version keep running; `apply --refresh` renders them again. A test compares the templates'
digests (tests/upgrade/templates.sha256). 0.1.0 wrote version 1.
"""

UNIT_VERSION = 2
