"""``python -m iclrace.cli``, where there is no script."""

from . import main

main()
