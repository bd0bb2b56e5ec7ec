"""From a call with arrays of any shape to the rows that the kernel takes, and back."""
