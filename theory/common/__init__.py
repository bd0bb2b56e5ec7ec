"""What every room rests on: how arguments are refused and broadcast, and how a file is written whole."""
