"""numba's compiler with fewer passes, for the functions that :mod:`.parts` tells from entry points.

numba treats every function as one that Python may call: each is typed, optimised together with all that it calls,
turned into machine code and loaded, and all of it again within its caller. A part needs none of that. It is typed and
translated, by the passes that plain arithmetic and loops over arrays need, and left to the entry point, which optimises
all of its parts at once.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import getitem, ipow, pow, setitem
from types import BuiltinFunctionType
from typing import Any, ClassVar, Literal

import numba
from numba import types
from numba.core import codegen, compiler, lowering, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager, register_pass

# Private parts of numba's own; tests/simulate/kernel/test_parts.py holds them to what is expected of them here.
_Library: Any = codegen.JITCodeLibrary
_make_function: Any = getattr(numba, "_dynfunc").make_function  # noqa: B009  (a module without stubs)


class PartLibrary(_Library):
    """Code of one part, neither optimised nor loaded, nor linked with that of the parts that it calls.

    The entry point links each of them once; if parts did, the smallest would be copied through all of their callers.
    """

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalized = True

    def needed(self) -> dict[Any, None]:
        """The libraries of the parts that it calls, and of those that they do."""
        found: dict[Any, None] = {}
        for library in self._linking_libraries:
            found |= {library: None} | (library.needed() if isinstance(library, PartLibrary) else {})
        return found


class Translator(lowering.Lower):
    """numba's translator to LLVM's language, which asks no second time what type inference has answered.

    It would try operators on constants first, and look for an operator or index anew at every use.
    """

    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        if op in (pow, ipow):  # of a constant exponent by products
            return super().lower_binop(resty, expr, op)
        signature = self.fndesc.calltypes[expr]
        return self._apply(op, signature, (expr.lhs, expr.rhs), resty)

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Any) -> Any:
        return self._apply(getitem, signature, (value, index), resty)

    def _apply(self, function: Any, signature: Any, operands: Any, resty: Any) -> Any:
        known = self.context.typing_context.resolve_value_type(function)
        try:
            implementation = self.context.get_function(known, signature)
        except KeyError:  # answered for what numba has since given more meanings
            signature = known.get_call_type(self.context.typing_context, signature.args, {})
            implementation = self.context.get_function(known, signature)
        args = [self._cast_var(*pair) for pair in zip(operands, signature.args, strict=True)]
        result = implementation(self.builder, args)
        return self.context.cast(self.builder, result, signature.return_type, resty)


@register_pass(mutates_CFG=False, analysis_only=False)
class EntryLowering(typed_passes.NativeLowering):
    """To LLVM's language."""

    _name = "entry_lowering"

    @property
    def lowering_class(self) -> Any:
        return Translator


@register_pass(mutates_CFG=False, analysis_only=False)
class PartLowering(EntryLowering):
    """To LLVM's language, and no further."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> Literal[True]:
        state.library = PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        described, library = state["cr"].fndesc, state.library
        # What numba knows the part by: a function without code, which Python cannot call.
        handle = _make_function(described.lookup_module(), described.qualname, "", 0, state["cr"].env, (library,))
        # Whoever calls it links what it calls, too: an entry point, or a function that numba compiles as usual.
        state.targetctx.insert_user_function(handle, described, [library, *library.needed()])
        state["cr"] = state["cr"]._replace(cfunc=handle)
        return True


class RememberingContext:
    """numba's typing context, which asks only once what a builtin function of given types returns.

    It would try all candidates anew at every plus sign and every index, which takes a third of all time.
    """

    answers: ClassVar[dict[Any, Any]] = {}

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, args: Any, kws: Any) -> Any:
        ask = self._context.resolve_function_type
        if kws or not isinstance(function, types.Function | BuiltinFunctionType):
            return ask(function, args, kws)
        return self._remember((function, *args), lambda: ask(function, args, kws))

    def resolve_setitem(self, target: Any, index: Any, value: Any) -> Any:
        ask = self._context.resolve_setitem
        return self._remember((setitem, target, index, value), lambda: ask(target, index, value))

    def _remember(self, question: Any, ask: Callable[[], Any]) -> Any:
        if question not in self.answers:
            self.answers[question] = ask()
        return self.answers[question]


@register_pass(mutates_CFG=False, analysis_only=False)
class PartTyping(typed_passes.NopythonTypeInference):
    """numba's type inference with a memory."""

    _name = "part_typing"

    def run_pass(self, state: Any) -> Literal[True]:
        context = state.typingctx
        state.typingctx = RememberingContext(context)
        try:
            return super().run_pass(state)
        finally:
            state.typingctx = context


@register_pass(mutates_CFG=False, analysis_only=True)
class Legalization(typed_passes.IRLegalization):
    """numba's check, and its marks of where variables end, which only what is counted at run time needs."""

    _name = "legalization"

    def run_pass(self, state: Any) -> Literal[True]:
        return super().run_pass(state) if state.flags.nrt else True


@register_pass(mutates_CFG=False, analysis_only=False)
class Backend(typed_passes.NoPythonBackend):
    """numba's last pass, after which there is nothing left to bring in order."""

    _name = "backend"


def _passes(translation: Any) -> list[Any]:
    manager: Any = PassManager(translation.__name__)
    for each in (
        untyped_passes.TranslateByteCode,
        untyped_passes.FixupArgs,
        untyped_passes.IRProcessing,
        untyped_passes.ReconstructSSA,
        PartTyping,
        typed_passes.PreLowerStripPhis,
        Legalization,
        translation,
        Backend,
    ):
        manager.add_pass(each, each.__name__)
    manager.finalize()
    return [manager]


class PartCompiler(compiler.CompilerBase):
    """The passes that a part needs."""

    def __init__(self, typingctx: Any, targetctx: Any, *rest: Any) -> None:
        # The entry point that is being compiled has asked already for all that numba's modules offer.
        targetctx.refresh = lambda: None
        try:
            super().__init__(typingctx, targetctx, *rest)
        finally:
            del targetctx.refresh
        vars(self.state.targetctx).pop("refresh", None)  # a copy of the context as it was then

    def define_pipelines(self) -> list[Any]:
        return _passes(PartLowering)


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """Meanwhile Python looks for no garbage: it would search all that a compiler builds, again and again, for 30 MB."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class EntryCompiler(compiler.CompilerBase):
    """The same passes for an entry point, which Python calls."""

    def __init__(self, *given: Any) -> None:
        with _garbage_kept():  # numba imports most of its modules
            super().__init__(*given)

    def compile_extra(self, func: Any) -> Any:
        with _garbage_kept():
            return super().compile_extra(func)

    def define_pipelines(self) -> list[Any]:
        return _passes(EntryLowering)
