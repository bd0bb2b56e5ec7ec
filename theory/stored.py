"""The exponents as they were derived last: read from the package, for a derivation takes seconds and sympy."""

import json
from dataclasses import asdict
from pathlib import Path

from .common.files import written_whole
from .exponents import Exponent, exponents

#: ``python -m iclrace.theory.stored`` derives it again; a test holds it against :func:`exponents`.
STORED = Path(__file__).with_name("exponents.json")


def stored_exponents() -> tuple[Exponent, ...]:
    """:func:`exponents`, read from the file that comes with the package.

    Source: docs/derivation.md, "exponents".

    Examples
    --------
    >>> [law.formula for law in stored_exponents() if (law.quantity, law.variable) == ("K*", "N")]
    ['1/nu']
    """
    laws = json.loads(STORED.read_text("utf-8"))
    return tuple(Exponent(**{**law, "bounds": tuple(law["bounds"])}) for law in laws)


def main() -> None:
    with written_whole(STORED) as partial:
        text = json.dumps([asdict(law) for law in exponents()], ensure_ascii=False, indent=1)
        partial.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
