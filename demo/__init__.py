"""`make demo`: one small model, served on this machine by xgen-deploy itself."""
