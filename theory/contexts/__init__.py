"""What a context holds: labels, copies and attention scores, as nodes over which the flow is averaged."""
