"""Speed and memory, measured beside what people use instead."""
