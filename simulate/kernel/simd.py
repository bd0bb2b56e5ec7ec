"""A vector of float64 lanes inside numba, one trajectory a lane.

LLVM's loop vectoriser gives up on the ``math.exp`` call that dominates the field, and on the branches around it. Here a
lane vector is a type of its own, lowered to LLVM's ``<WIDTH x double>``: every machine splits that into the registers
it has (two of AVX-512, four of AVX2, eight of NEON), every lane runs the same instructions, and so the result of a
trajectory depends neither on its lane nor on its neighbours.
"""

import operator
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

from ...theory.numerics import rodas5p
from .parts import entry_point, part

#: What the compiled driver is made of: it is kept as long as these are what they are.
SOURCES = (*Path(__file__).parent.rglob("*.py"), Path(rodas5p.__file__))

intrinsic: Any = numba_intrinsic  # callers see the numba signature, not the Python one


def compiled(*, entry: bool = False, **options: Any) -> Any:
    """The compiler with this package's options: IEEE division, and no reference counts, which cost more than a field
    evaluation. Only an ``entry`` can be called from Python; all else is a part of one."""
    options |= {"_nrt": False, "error_model": "numpy"}
    return entry_point(*SOURCES, **options) if entry else part(**options)


def compiled_for(field: Any, **options: Any) -> Any:
    """:func:`compiled` for a function that calls a given field, under a name that says which.

    Compiled code is kept and linked by name: that of another field must not be taken for it.
    """

    def decorator(function: Any) -> Any:
        function.__name__ = function.__qualname__ = f"{function.__name__}_{field.__name__}"
        return compiled(**options)(function)

    return decorator


#: Lanes of one vector. Two AVX-512 registers: one alone leaves the arithmetic units waiting for its own results.
WIDTH = 16

_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_INTEGERS = ir.VectorType(ir.IntType(64), WIDTH)


class LaneVector(types.Type):
    """The numba type of ``WIDTH`` float64 lanes."""

    def __init__(self) -> None:
        super().__init__(name=f"LaneVector({WIDTH})")


lanes: Any = LaneVector()
lower: Any = lower_builtin
template: Any = infer_global


@register_model(LaneVector)
class _LaneVectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _splat(builder: Any, value: Any) -> Any:
    seed = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(seed, ir.Constant(_VECTOR, ir.Undefined), mask)


def _call(builder: Any, name: str, args: list[Any]) -> Any:
    """The LLVM intrinsic ``name`` on lane vectors."""
    function_type = ir.FunctionType(_VECTOR, [_VECTOR] * len(args))
    function = cgutils.get_or_insert_function(builder.module, function_type, f"{name}.v{WIDTH}f64")
    return builder.call(function, args)


def _register_operator(python_operator: Any, emit: str) -> None:
    @template(python_operator)
    class _Template(AbstractTemplate):  # pyright: ignore[reportUnusedClass]
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and lanes in args and all(a in (lanes, types.float64) for a in args):
                return signature(lanes, *args)
            return None

    for left, right in ((lanes, lanes), (lanes, types.float64), (types.float64, lanes)):

        @lower(python_operator, left, right)
        def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            a, b = (v if t is lanes else _splat(builder, v) for v, t in zip(args, sig.args, strict=True))
            return getattr(builder, emit)(a, b)


for _operator, _emit in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _register_operator(_operator, _emit)


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = builder.extract_value(array, context.data_model_manager[array_type].get_field_position("data"))
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> Any:
    """Lanes ``array[index : index + WIDTH]`` of a contiguous one-dimensional float64 array."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _address(context, builder, sig.args[0], args[0], args[1])
        return builder.load(pointer, align=8)

    return lanes(array, types.intp), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes to ``array[index : index + WIDTH]``."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = _address(context, builder, sig.args[0], args[0], args[1])
        builder.store(args[2], pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), codegen


@intrinsic
def splat(typingctx: Any, value: Any) -> Any:
    """The same number in every lane."""
    return lanes(types.float64), lambda context, builder, sig, args: _splat(builder, args[0])


def _unary(name: str) -> Any:
    @intrinsic
    def operation(typingctx: Any, x: Any) -> Any:
        return lanes(lanes), lambda context, builder, sig, args: _call(builder, name, list(args))

    return operation


def _binary(name: str) -> Any:
    @intrinsic
    def operation(typingctx: Any, x: Any, y: Any) -> Any:
        return lanes(lanes, lanes), lambda context, builder, sig, args: _call(builder, name, list(args))

    return operation


magnitude = _unary("llvm.fabs")
square_root = _unary("llvm.sqrt")
smaller = _binary("llvm.minnum")
larger = _binary("llvm.maxnum")
copy_sign = _binary("llvm.copysign")


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """x y + z, in one instruction where the machine has one."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        vectors = [v if t is lanes else _splat(builder, v) for v, t in zip(args, sig.args, strict=True)]
        return _call(builder, "llvm.fmuladd", vectors)

    kinds = [lanes if t is lanes else types.float64 for t in (x, y, z)]
    return lanes(*kinds), codegen


def _comparison(predicate: str) -> Any:
    @intrinsic
    def operation(typingctx: Any, x: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            truth = builder.fcmp_ordered(predicate, *args)
            return builder.select(truth, ir.Constant(_VECTOR, [1.0] * WIDTH), ir.Constant(_VECTOR, [0.0] * WIDTH))

        return lanes(lanes, lanes), codegen

    return operation


#: 1 in lanes where the comparison holds, 0 elsewhere and where either is NaN; ``smaller`` and ``larger`` of such masks
#: are "and" and "or".
less = _comparison("<")
at_most = _comparison("<=")


@intrinsic
def select(typingctx: Any, mask: Any, x: Any, y: Any) -> Any:
    """x in lanes where the mask is not 0, y elsewhere."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        truth = builder.fcmp_unordered("!=", args[0], ir.Constant(_VECTOR, [0.0] * WIDTH))
        return builder.select(truth, args[1], args[2])

    return lanes(lanes, lanes, lanes), codegen


@intrinsic
def some(typingctx: Any, mask: Any) -> Any:
    """Whether the mask is not 0 in any lane."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        truth = builder.fcmp_unordered("!=", args[0], ir.Constant(_VECTOR, [0.0] * WIDTH))
        bits = builder.bitcast(truth, ir.IntType(WIDTH))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(WIDTH), 0))

    return types.boolean(lanes), codegen


#: Added to a number below 2^51 it rounds to the nearest integer, which is then in the low bits of the mantissa.
ROUNDER = 6755399441055744.0  # 1.5 · 2^52


@intrinsic
def times_power_of_two(typingctx: Any, x: Any, shifted: Any) -> Any:
    """x 2^n for lanes with shifted = n + ``ROUNDER``, where x and the result are normal numbers."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        x, shifted = (builder.bitcast(value, _INTEGERS) for value in args)
        exponent = builder.shl(shifted, ir.Constant(_INTEGERS, [52] * WIDTH))
        return builder.bitcast(builder.add(x, exponent), _VECTOR)

    return lanes(lanes, lanes), codegen


@intrinsic
def exponent_of(typingctx: Any, x: Any) -> Any:
    """⌊log2 x⌋ of positive normal lanes."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        bits = builder.lshr(builder.bitcast(args[0], _INTEGERS), ir.Constant(_INTEGERS, [52] * WIDTH))
        # The integer becomes the low bits of 2^52, which is then taken away.
        packed = builder.or_(bits, ir.Constant(_INTEGERS, [0x4330000000000000] * WIDTH))
        return builder.fsub(
            builder.bitcast(packed, _VECTOR), ir.Constant(_VECTOR, [4503599627370496.0 + 1023.0] * WIDTH)
        )

    return lanes(lanes), codegen


def _chosen(predicate: str) -> Any:
    @intrinsic
    def operation(typingctx: Any, x: Any, y: Any) -> Any:
        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.select(builder.fcmp_ordered(predicate, args[1], args[0]), args[1], args[0])

        return types.float64(types.float64, types.float64), codegen

    return operation


#: Python's min and max of two numbers, and int of one, for which numba would compile functions of its own.
lesser, greater = _chosen("<"), _chosen(">")


@intrinsic
def whole(typingctx: Any, x: Any) -> Any:
    """The integer part of a number."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fptosi(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def never_inline(typingctx: Any) -> Any:
    """Keep the calling function apart: copies of it at every call site would cost seconds of compilation."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen
