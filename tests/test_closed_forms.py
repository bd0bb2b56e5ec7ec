"""The benchmark of closed forms lists every public one, with every argument that may be an array."""

from inspect import isclass, signature

import numpy as np
import pytest

from iclrace import theory
from iclrace.benchmarks.closed_forms import CUT, row, seconds, shown, times_of
from iclrace.benchmarks.forms import FORMS, MADE, OTHERS, STATISTICS

#: Arguments that choose between variants, each of which is listed, or say how a sum is done.
CHOICES = {"task", "over", "average", "nodes", "repeats", "integrate"}
#: What may be given in place of something else that is an array already.
INSTEAD = {"task_diversity": "task", "clock": "beta0", "until_beta": "accuracy"}


def closed_forms(public):
    """Functions and laws' methods that ``public`` names hold."""
    names = set()
    for name in public:
        found = getattr(theory, name)
        own = [method for method, value in vars(found).items() if not method.startswith("_") and
               (callable(value) or isinstance(value, classmethod))] if name in MADE else []  # fmt: skip
        names |= {f"{name}.{method}" for method in own} or {name}
    return names


def test_every_public_name_is_a_closed_form_in_the_list_or_told_why_not():
    listed = {form.name for form in FORMS}
    assert closed_forms(theory.__all__) == listed | set(OTHERS)
    assert not listed & set(OTHERS)
    assert all(isclass(getattr(theory, name)) or callable(getattr(theory, name)) for name in theory.__all__)


@pytest.mark.parametrize("name", sorted({form.name for form in FORMS}))
def test_arrays_are_timed_in_every_argument_of_a_closed_form(name):
    forms = [form for form in FORMS if form.name == name]
    known = set(signature(forms[0].function).parameters)
    timed = {argument for form in forms for argument in form.own}
    held = {argument for form in forms for argument in form.held} & {"memory"}
    curves = {"task_diversity"} if "Memory." in name else set()  # of one run
    left = known - timed - held - curves - CHOICES
    assert left <= {argument for argument, other in INSTEAD.items() if other in known}
    assert timed <= known
    assert ("task" in known) == all(form.task is not None for form in forms)


@pytest.mark.parametrize("form", [form for form in FORMS if form.task is not None and not form.variant],
                         ids=lambda form: form.name)  # fmt: skip
def test_statistics_of_a_task_are_timed_in_n_and_d_at_least(form):
    assert {"context_length", "dimension"} <= set(form.arguments)
    assert set(form.arguments) <= set(STATISTICS) | set(form.own)


def test_a_call_is_timed_and_a_slow_one_cut_off_and_called_missed():
    form = next(form for form in FORMS if form.name == "early_drag")
    times = times_of(form, 50)
    assert set(times) == set(form.arguments) and all(0.0 <= value < CUT for value in times.values())

    def endless():
        while True:
            np.zeros(1)

    assert seconds(endless, 1) == np.inf
    assert (shown(0.2), shown(0.31), shown(np.inf)) == ("0.2", "**0.31**", f"**> {CUT}**")
    assert len(row(form, times)) == 2 + len(STATISTICS)
