"""The compiled solver: vector lanes, fields, steps, step-size control, events and output."""
