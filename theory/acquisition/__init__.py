"""How in-context learning is acquired: the early race, its clock, its time and the spread of it."""
