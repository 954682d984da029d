"""The probe for hosts without a complete Python: POSIX sh, awk and what the kernel tells."""
