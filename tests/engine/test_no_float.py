"""Proof that the engine computes in integers: whole programs run under a guard.

Every array that the engine's modules hold is a `NoFloat`: what enters is one, numpy hands on the
class through arithmetic, methods and views, and whatever a function of numpy makes anew, `zeros` as
much as `matmul`, is turned into one on its way back to the module. A `NoFloat` that is of a float
dtype raises. The guard is lifted inside `engine.fast.product` alone, which has to take and to give
integers.
That no array escapes the guard is checked as well: a trace looks at every local variable of every
line of these modules.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from types import FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aquant_ref.engine import Engine, Instruction, Program, windows
from aquant_ref.engine.fast import (
    fixed_point,
    kernels,
    packed_pairs,
    per_channel,
    product,
    run,
    tables,
    threshold_table,
)
from aquant_ref.engine.fast.threshold_table import ThresholdTable
from aquant_ref.engine.operations import OPERATIONS
from aquant_ref.integer import PROFILES
from aquant_ref.lowering import lower
from aquant_ref.lowering.lowerings import LOWERINGS
from aquant_ref.quant.fixed_point import FLOAT_PROFILES
from aquant_ref.threads import set_threads
from tests.engine import graphs, networks
from tests.engine.test_engine import options

# all that runs while a program runs
MODULES: tuple[ModuleType, ...] = (
    run,
    kernels,
    per_channel,
    packed_pairs,
    threshold_table,
    tables,
    windows,
    fixed_point,
    *(import_module(f"aquant_ref.integer.{name}") for name in ("requantize", "saturate", "shift")),
)
PRODUCTS = ("product", "product_by_rows")


class FloatMade(AssertionError):
    """A float array was made outside the certified product."""


class NoFloat(np.ndarray):
    """An array that refuses to be of floating point; so does all that is made of it."""

    def __array_finalize__(self, other: Any) -> None:
        if self.dtype.kind in "fc":
            raise FloatMade(f"an array of {self.dtype}")


def guarded(value: Any) -> Any:
    """Arrays as NoFloat, inside of lists, tuples and dictionaries too."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc":
        raise FloatMade(f"numpy made {value.dtype}")
    if isinstance(value, np.ndarray):
        return value.view(NoFloat)
    if isinstance(value, list | tuple):
        return type(value)(map(guarded, value))
    return {k: guarded(v) for k, v in value.items()} if isinstance(value, dict) else value


class GuardedNumpy:
    """numpy as a module sees it: what its functions return is guarded."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if isinstance(found, type | ModuleType) or not callable(found):
            return found
        return lambda *args, **options: guarded(found(*args, **options))


@contextmanager
def integers_only() -> Iterator[list[str]]:
    """Guard the engine; yields the names of the functions in which the guard saw arrays."""
    seen: list[str] = []

    def lifted(name: str) -> Callable[..., Any]:
        free = getattr(product, name)

        def run_free(weight: np.ndarray, x: np.ndarray, *others: Any) -> np.ndarray:
            seen.append(f"{name} in {others[-1]}")
            assert isinstance(weight, NoFloat)
            assert isinstance(x, NoFloat)
            made = free(weight.view(np.ndarray), x.view(np.ndarray), *others)
            return np.asanyarray(guarded(made))

        return run_free

    def look(frame: FrameType, event: str, value: Any) -> Any:
        if frame.f_globals.get("__name__") not in {module.__name__ for module in MODULES}:
            return None
        for name, local in [*frame.f_locals.items(), ("what it returns", value)]:
            if isinstance(local, np.ndarray):
                seen.append(frame.f_code.co_name)
                where = f"{name} of {frame.f_code.co_name}"
                if local.dtype.kind not in "iub":
                    raise FloatMade(f"{where} is {local.dtype}")
                assert isinstance(local, NoFloat), f"{where} is not guarded"
        return look

    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(module, "np", GuardedNumpy())
        for name in PRODUCTS:
            patch.setattr(kernels, name, lifted(name))
        set_threads(1)  # a trace is one of a thread
        before = sys.gettrace()
        sys.settrace(look)
        try:
            yield seen
        finally:
            sys.settrace(before)
            set_threads(None)


def guarded_program(program: Program) -> Program:
    """The same program; a float that it carries, as rescale_float does, raises where it is met."""

    def arrays(each: Instruction) -> dict[str, Any]:
        return {k: a if a.dtype.kind == "f" else guarded(a) for k, a in each.arrays.items()}

    instructions = (replace(each, arrays=arrays(each)) for each in program.instructions)
    return Program(program.input_shape, tuple(instructions))


def guarded_engine(program: Program, product: str = "auto") -> Engine:
    """An engine, made before any guard, whose tables are guarded as its program is."""
    engine = Engine(guarded_program(program), product=product)
    engine._steps = {
        name: replace(
            step, table=step.table and ThresholdTable(*map(guarded, vars(step.table).values()))
        )
        for name, step in engine._steps.items()
    }
    return engine


def run_guarded(program: Program, images: np.ndarray, product: str = "auto") -> dict[str, Any]:
    engine = guarded_engine(program, product)
    with integers_only():
        return engine.run(images.view(NoFloat))


@pytest.mark.parametrize("product", ["auto", "integer"])
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), choice=options)
def test_a_whole_program_makes_no_float_outside_the_product(
    product: str, seed: int, choice: dict[str, Any]
) -> None:
    model = networks.residual_network(seed, **choice)
    check_no_float(lower(model), networks.hard_images(model, 5), product)


@pytest.mark.parametrize("product", ["auto", "integer"])
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_a_random_graph_makes_no_float_outside_the_product(product: str, seed: int) -> None:
    model = graphs.random_model(seed)
    check_no_float(lower(model), networks.hard_images(model, 5), product)


@pytest.mark.parametrize("profile", PROFILES)
@settings(max_examples=8)
@given(seed=st.integers(0, 10**6), choice=options)
def test_a_program_in_fixed_point_makes_no_float_outside_the_product(
    profile: str, seed: int, choice: dict[str, Any]
) -> None:
    model = networks.residual_network(seed, **choice)
    program = lower(model, "fixed_point", profile=profile)
    check_no_float(program, networks.hard_images(model, 5), "auto")


@pytest.mark.parametrize("profile", FLOAT_PROFILES)
def test_only_a_profile_in_floating_point_makes_floats(profile: str) -> None:
    """The instruction rescale_float emulates engines that requantize so."""
    model = networks.residual_network(6)
    program = lower(model, "fixed_point", profile=profile)
    assert "rescale_float" in {each.op for each in program.instructions}
    engine = guarded_engine(program)
    with integers_only(), pytest.raises(FloatMade):
        engine.run(networks.hard_images(model, 3).view(NoFloat))


def check_no_float(program: Program, images: np.ndarray, product: str) -> None:
    result = run_guarded(program, images, product)
    plain = Engine(program).run(images)
    assert {n: t.tolist() for n, t in result.items()} == {n: t.tolist() for n, t in plain.items()}
    assert all(tensor.dtype.kind in "iu" for tensor in result.values())


def test_the_programs_above_have_every_operation_between_them() -> None:
    """So that a new one cannot be forgotten here."""
    made: set[str] = set()
    bordered = (
        networks.residual_network(0, windows=windows, pool=True, shortcut=False)
        for windows in ("", "row", "fused", "feedback")
    )
    drawn = (graphs.random_model(seed, fixed_point=True) for seed in range(10))
    for model in (*bordered, *drawn):
        for lowering in LOWERINGS:
            program = lower(model, lowering)
            made |= {each.op for each in program.instructions}
            run_guarded(program, networks.hard_images(model, 3))
    assert made == set(OPERATIONS) - {"rescale_float"}


def test_the_guard_sees_every_function_and_both_kinds_of_product() -> None:
    seen: list[str] = []
    for bits in (2, 8):
        model = networks.residual_network(6, pool=True, zero=(3, 116), act_bits=bits, windows="")
        engine = guarded_engine(lower(model))
        with integers_only() as found:
            engine.run(networks.hard_images(model, 3).view(NoFloat))
        seen += found
    assert {"product in float32", "product_by_rows in float32"} <= set(seen)
    assert {"pack", "unpack"} <= set(seen)
    assert {"run", "_run_block", "apply", "_conv2d", "_centred", "per_channel"} <= set(seen)
    assert {"codes", "threshold_codes", "_max_pool"} <= set(seen)


# The guard bites


def halves(acc: Any, thresholds: Any, least: int) -> Any:
    return np.asarray((acc * 0.5 >= thresholds[:, 0].reshape(-1, 1, 1)).astype(np.uint8))


def converts(acc: Any, thresholds: Any, least: int) -> Any:
    return acc.astype(np.float32).astype(np.uint8)


def divides(acc: Any, thresholds: Any, least: int) -> Any:
    return (acc / 2).astype(np.uint8)


def starts_from_zeros(acc: Any, thresholds: Any, least: int) -> Any:
    codes = np.zeros(acc.shape)
    return (codes + 1).astype(np.uint8)


def in_one_expression(acc: Any, thresholds: Any, least: int) -> Any:
    return np.ones(acc.shape).astype(np.uint8)


def fills(acc: Any, thresholds: Any, least: int) -> Any:
    return np.full(acc.shape, 0.5).astype(np.uint8)


def averages(acc: Any, thresholds: Any, least: int) -> Any:
    return np.add(acc.mean(axis=0, keepdims=True), acc).astype(np.uint8)


def averages_everything(acc: Any, thresholds: Any, least: int) -> Any:
    return np.full(acc.shape, int(np.mean(acc)), np.uint8)


def sums_in_float(acc: Any, thresholds: Any, least: int) -> Any:
    return acc.sum(axis=0, keepdims=True, dtype=np.float64).astype(np.uint8)


def square_roots(acc: Any, thresholds: Any, least: int) -> Any:
    return np.sqrt(abs(acc)).astype(np.uint8)


def views(acc: Any, thresholds: Any, least: int) -> Any:
    bits = acc.astype(np.int32).view(np.float32)
    return (bits > 0).astype(np.uint8)


def of_a_list(acc: Any, thresholds: Any, least: int) -> Any:
    return np.array([0.5, 1.5]).astype(np.uint8)


WRONG = (
    halves,
    converts,
    divides,
    starts_from_zeros,
    in_one_expression,
    fills,
    averages,
    averages_everything,
    sums_in_float,
    square_roots,
    views,
    of_a_list,
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_function_that_computes_in_floats_is_caught(wrong: Callable[..., Any]) -> None:
    """Put in the place of `threshold_codes`, with the numpy that the module sees."""
    model = networks.residual_network(6)
    engine = guarded_engine(lower(model))
    with integers_only(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "threshold_codes", FunctionType(wrong.__code__, vars(kernels)))
        with pytest.raises(FloatMade):
            engine.run(networks.hard_images(model, 3).view(NoFloat))


def test_the_right_function_in_the_same_place_is_not_caught() -> None:
    model = networks.residual_network(6)
    engine, images = guarded_engine(lower(model)), networks.hard_images(model, 3)
    right = FunctionType(kernels.threshold_codes.__code__, vars(kernels))
    with integers_only(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "threshold_codes", right)
        engine.run(images.view(NoFloat))


def test_a_product_that_gives_floats_is_caught() -> None:
    model = networks.residual_network(6)
    engine = guarded_engine(lower(model))

    def gives_floats(weight: Any, columns: Any, kind: str) -> Any:
        return np.matmul(weight.astype(kind), columns.astype(kind))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "product", gives_floats)
        with integers_only(), pytest.raises(FloatMade):
            engine.run(networks.hard_images(model, 3).view(NoFloat))


def test_an_array_that_escapes_the_guard_is_caught() -> None:
    """However it was made: here by a numpy that is not the module's."""
    model = networks.residual_network(6)
    engine = guarded_engine(lower(model))

    def past(acc: Any, thresholds: Any, least: int) -> Any:
        import numpy

        codes = numpy.zeros(acc.shape, numpy.uint8)
        return codes  # noqa: RET504 (the guard reports this name)

    with integers_only(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "threshold_codes", FunctionType(past.__code__, vars(kernels)))
        with pytest.raises(AssertionError, match=r"codes of past is not guarded"):
            engine.run(networks.hard_images(model, 3).view(NoFloat))
