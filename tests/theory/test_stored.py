"""The exponents that come with the package: what the derivation says now, and nothing that runs."""

from dataclasses import replace

import numpy as np
import pytest

from iclrace.theory import exponents
from iclrace.theory.common.files import written_whole
from iclrace.theory.stored import stored_exponents


def test_the_file_holds_what_is_derived():
    """To the last letter, the ends of regimes to the rounding of other machines."""
    derived, read = exponents(), stored_exponents()
    np.testing.assert_allclose([law.bounds for law in read], [law.bounds for law in derived], rtol=1e-9)
    assert read == tuple(replace(law, bounds=said.bounds) for law, said in zip(derived, read, strict=True))


@pytest.mark.parametrize(
    "formula", ["__import__('os').remove({!r})", "open({!r}, 'w')", "nu.__class__", "nu if nu else 1"]
)
def test_a_stored_formula_cannot_execute_code(tmp_path, formula):
    """What a file calls an expression is not evaluated."""
    kept = tmp_path / "kept"
    kept.write_text("precious")
    law = replace(stored_exponents()[0], formula=formula.format(str(kept)))
    with pytest.raises(ValueError, match="formula"):
        _ = law.expression
    assert kept.read_text() == "precious"


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as partial:
        partial.write_text("half of wh")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    with written_whole(path) as partial:
        partial.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after" and list(tmp_path.iterdir()) == [path]
