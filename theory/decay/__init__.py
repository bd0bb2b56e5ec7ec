"""After acquisition: tracking, weight decay, fixed points, and how long in-context learning lasts."""
