"""What watches a site: metrics, alert rules, dashboards."""
