"""Management API and page: `xgen-deploy serve`."""
