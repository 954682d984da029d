"""The inventory: hosts, groups, their variables."""
