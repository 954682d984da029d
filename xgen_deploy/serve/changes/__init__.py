"""Changes that are asked for in a browser or by a script: an edit of the manifest, its plan, and
an apply through the same gate as on the command line.
"""
