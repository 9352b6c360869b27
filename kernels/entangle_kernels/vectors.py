"""Vector instructions by name, for the few loops that a compiler does not vectorise by itself.

A :class:`Vector` stands for the lanes of a register while code is being written: Python runs once, at
compile time, inside a Numba intrinsic, and what its operators leave behind is LLVM's own vector code. What
has no name in LLVM that is the same for every processor (look-ups by permutation, closing ranks) is called by
the name of the AVX-512 instruction, so :data:`AVAILABLE` tells whether the processor has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import llvmlite.binding as llvm
import numba.core.config
import numba.extending
from llvmlite import ir
from numba.core import cgutils

#: The decorator of a function whose code is written here; its first parameter is not the caller's.
intrinsic: Any = numba.extending.intrinsic
_function: Any = cgutils.get_or_insert_function

_CONFIG: Any = numba.core.config
_NEEDED: Final = ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi2", "bmi2", "popcnt")

_BYTE: Final = ir.IntType(8)
_INT: Final = ir.IntType(64)


#: Elements that a store of a whole register may reach beyond the last lane that counts.
BEYOND: Final = 64

#: Whether compiled code is off, and no code can be written.
INTERPRETED: Final = bool(_CONFIG.DISABLE_JIT)


def _available() -> bool:
    """Return whether compiled code may use the instructions: the processor has them, nobody forbade them."""
    if INTERPRETED or _CONFIG.CPU_NAME or _CONFIG.CPU_FEATURES:
        return False
    try:
        features = llvm.get_host_cpu_features()
    except RuntimeError:  # no such list for this kind of processor
        return False
    return all(features.get(name, False) for name in _NEEDED)


AVAILABLE: Final = _available()


class Vector:
    """Lanes of unsigned integers, or of flags, while code is being written."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    @property
    def bits(self) -> int:
        """Width of a lane."""
        return int(self.value.type.element.width)

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return int(self.value.type.count)

    def __add__(self, other: Vector | int) -> Vector:
        return self._new(self.builder.add(self.value, self._like(other)))

    def __mul__(self, other: Vector | int) -> Vector:
        return self._new(self.builder.mul(self.value, self._like(other)))

    def __and__(self, other: Vector | int) -> Vector:
        return self._new(self.builder.and_(self.value, self._like(other)))

    def __or__(self, other: Vector | int) -> Vector:
        return self._new(self.builder.or_(self.value, self._like(other)))

    def __xor__(self, other: Vector | int) -> Vector:
        return self._new(self.builder.xor(self.value, self._like(other)))

    def __lshift__(self, by: int) -> Vector:
        return self._new(self.builder.shl(self.value, self._like(by)))

    def __rshift__(self, by: int) -> Vector:
        return self._new(self.builder.lshr(self.value, self._like(by)))

    def __invert__(self) -> Vector:
        return self._new(self.builder.not_(self.value))

    def __lt__(self, other: Vector | int) -> Vector:
        return self._compared("<", other)

    def __le__(self, other: Vector | int) -> Vector:
        return self._compared("<=", other)

    def __gt__(self, other: Vector | int) -> Vector:
        return self._compared(">", other)

    def differs(self, other: Vector | int) -> Vector:
        """Flag the lanes that differ."""
        return self._compared("!=", other)

    def has(self, bits: int) -> Vector:
        """Flag the lanes that have any of `bits` set."""
        return (self & bits).differs(0)

    def where(self, flags: Vector, other: Vector) -> Vector:
        """Return these lanes where flagged, the other's elsewhere."""
        return self._new(self.builder.select(flags.value, self.value, other.value))

    def as_lanes(self, bits: int) -> Vector:
        """Return the same register as lanes of another width."""
        kind = ir.VectorType(ir.IntType(bits), self.bits * self.lanes // bits)
        return self._new(self.builder.bitcast(self.value, kind))

    def widened(self, bits: int) -> Vector:
        """Return the same numbers in wider lanes."""
        return self._new(self.builder.zext(self.value, ir.VectorType(ir.IntType(bits), self.lanes)))

    def narrowed(self, bits: int) -> Vector:
        """Return the lower bits of each lane in narrower lanes."""
        return self._new(self.builder.trunc(self.value, ir.VectorType(ir.IntType(bits), self.lanes)))

    def mixed(self, other: Vector, order: Sequence[int]) -> Vector:
        """Return lanes of both in a fixed order; the other's are numbered after these."""
        order_ = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
        return self._new(self.builder.shuffle_vector(self.value, other.value, order_))

    def part(self, start: int, lanes: int) -> Vector:
        """Return some lanes that lie side by side."""
        return self.mixed(self, range(start, start + lanes))

    def joined(self, other: Vector) -> Vector:
        """Return these lanes and then the other's."""
        return self.mixed(other, range(2 * self.lanes))

    def packed(self, flags: Vector) -> Vector:
        """Return the flagged lanes, moved to the front, and zeros."""
        name = f"llvm.x86.avx512.mask.compress.v{self.lanes}i{self.bits}"
        return self._called(name, self.value, self._like(0), flags.value)

    def looked_up(self, low: Vector, high: Vector | None = None) -> Vector:
        """Return the lanes of a table, of one register or of two, at these positions."""
        if high is None:
            return self._called("llvm.x86.avx512.permvar.si.512", low.value, self.value)
        kind = {16: "hi", 32: "d"}[self.bits]
        name = f"llvm.x86.avx512.vpermi2var.{kind}.512"
        return self._called(name, low.value, self.value, high.value)

    def word(self) -> Any:
        """Return flags as the bits of a 64-bit number."""
        word = self.builder.bitcast(self.value, ir.IntType(self.lanes))
        return self.builder.zext(word, _INT)

    def number(self) -> Any:
        """Return how many lanes are flagged, as a 64-bit number."""
        return self.builder.ctpop(self.word())

    def _new(self, value: Any) -> Vector:
        return Vector(self.builder, value)

    def _like(self, other: Vector | int) -> Any:
        if isinstance(other, Vector):
            return other.value
        kind = self.value.type
        return ir.Constant(kind, [other & ((1 << self.bits) - 1)] * self.lanes)

    def _compared(self, how: str, other: Vector | int) -> Vector:
        return self._new(self.builder.icmp_unsigned(how, self.value, self._like(other)))

    def _called(self, name: str, *values: Any) -> Vector:
        result = values[0].type
        kind = ir.FunctionType(result, [value.type for value in values])
        function = _function(self.builder.module, kind, name)
        return self._new(self.builder.call(function, values))


def lanes(builder: Any, numbers: Sequence[int], bits: int) -> Vector:
    """Return a register of known numbers."""
    return Vector(builder, ir.Constant(ir.VectorType(ir.IntType(bits), len(numbers)), list(numbers)))


def every(builder: Any, value: Any, number: int) -> Vector:
    """Return a register with the same number, known at run time, in every lane."""
    kind = ir.VectorType(value.type, number)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    first = ir.Constant(ir.VectorType(ir.IntType(32), number), [0] * number)
    return Vector(builder, builder.shuffle_vector(one, one, first))


def first_lanes(builder: Any, number: Any, of: int) -> Vector:
    """Flag the first lanes, as many as a signed 64-bit number says, none or all if it says so."""
    flags, wide = ir.IntType(of), ir.Constant(_INT, of)
    some = builder.select(
        builder.icmp_signed("<", number, ir.Constant(_INT, 0)), ir.Constant(_INT, 0), number
    )
    bits = builder.sub(builder.shl(ir.Constant(_INT, 1), some), ir.Constant(_INT, 1))
    chosen = builder.select(
        builder.icmp_signed("<", number, wide), builder.trunc(bits, flags), ir.Constant(flags, -1)
    )
    return Vector(builder, builder.bitcast(chosen, ir.VectorType(ir.IntType(1), of)))


def data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return where the elements of an array argument lie."""
    array = context.make_array(kind)(context, builder, value)
    return builder.bitcast(array.data, _BYTE.as_pointer())


def load(builder: Any, base: Any, position: Any, bits: int, lanes: int) -> Vector:
    """Return lanes that lie side by side in memory from an element on."""
    return Vector(builder, builder.load(_place(builder, base, position, bits, lanes), align=bits // 8))


def load_every(builder: Any, base: Any, position: Any, bits: int, lanes: int) -> Vector:
    """Return a register with one element of an array in every lane."""
    kind = ir.IntType(bits).as_pointer()
    place = builder.bitcast(builder.gep(base, [_offset(builder, position, bits)]), kind)
    return every(builder, builder.load(place, align=bits // 8), lanes)


def store(builder: Any, base: Any, position: Any, vector: Vector) -> None:
    """Write lanes side by side into memory from an element on."""
    place = _place(builder, base, position, vector.bits, vector.lanes)
    builder.store(vector.value, place, align=vector.bits // 8)


def _place(builder: Any, base: Any, position: Any, bits: int, lanes: int) -> Any:
    kind = ir.VectorType(ir.IntType(bits), lanes).as_pointer()
    return builder.bitcast(builder.gep(base, [_offset(builder, position, bits)]), kind)


def _offset(builder: Any, position: Any, bits: int) -> Any:
    if isinstance(position, int):
        return ir.Constant(_INT, position * bits // 8)
    return builder.mul(position, ir.Constant(_INT, bits // 8))
