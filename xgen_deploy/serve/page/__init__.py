"""The page in the browser: HTML made here, kept up to date by htmx."""
