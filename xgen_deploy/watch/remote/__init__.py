"""What the exporter runs on a host: sent there as it is."""
