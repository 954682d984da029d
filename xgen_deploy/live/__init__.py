"""What hosts do right now: values that come as long as somebody looks."""
