"""What people read: lines, tables and the progress of an apply."""
