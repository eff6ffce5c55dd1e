"""A fixed-point program from a file: what is damaged is refused, what is accepted runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquant_ref.engine import Engine, Instruction, Program
from aquant_ref.errors import InputError
from aquant_ref.formats import native
from aquant_ref.lowering import lower
from tests.engine import networks
from tests.engine.test_program import Change, array, attribute, instruction

STEPS, CODES = "stem.relu.steps", "stem.relu"
CHANGES: dict[str, tuple[Change, str]] = {
    "a multiplier that is not normalised": (
        array(f"{STEPS}/multiplier", lambda a: a // 2),
        "its multiplier is not in 1073741824..2147483647",
    ),
    "a multiplier of other channels": (
        array(f"{STEPS}/multiplier", lambda a: a[:1]),
        "its multiplier has shape (1,), needs (4,)",
    ),
    "a float bias": (array(f"{STEPS}/bias", lambda a: a.astype(float)), "float64"),
    "a shift of 63": (array(f"{STEPS}/shift", lambda a: a * 0 + 63), "its shift is not in 0..62"),
    "a left shift of 32": (array(f"{STEPS}/left", lambda a: a * 0 + 32), "its left is not in"),
    "a left shift that overflows": (array(f"{STEPS}/left", lambda a: a * 0 + 31), "can reach"),
    "an unknown profile": (attribute(STEPS, profile="cuda"), "its profile cannot be 'cuda'"),
    "a profile in floating point": (attribute(STEPS, profile="float32"), "'float32'"),
    "no profile": (attribute(STEPS, profile=None), "its profile cannot be None"),
    "a profile of a list": (attribute(STEPS, profile=["exact"]), "its profile cannot be"),
    "fraction bits beyond": (attribute(CODES, fraction_bits=17), "its fraction_bits"),
    "negative fraction bits": (attribute(CODES, fraction_bits=-1), "its fraction_bits"),
    "fewer fraction bits": (attribute(CODES, fraction_bits=3), "its code is not in 0..3"),
    "a lift of others": (array(f"{CODES}/lift", lambda a: a[:9]), "its lift has shape (9,)"),
    "no ends": (attribute(CODES, low=None), "its low cannot be None"),
    "ends in the wrong order": (attribute(CODES, low=769), "its low is not in"),
    "an end beyond int32": (attribute(CODES, high=2**31), "its low and high is not in"),
    "a negative code": (attribute(CODES, low=-1), "its code is not in 0..3"),
    "a code beyond": (attribute(CODES, zero_point=1), "its code is not in 0..3"),
    "codes of no type": (attribute(CODES, least=-1, largest=2**15), "its largest is not in"),
    "codes of 17 bits": (attribute(CODES, largest=2**16), "its largest is not in 0..65535"),
    "a tau beyond 1": (attribute(CODES, shift=20), "its tau is not in"),
    "coefficients of two channels": (
        array(f"{CODES}/coefficients", lambda a: a[:2]),
        "has 2 rows for 4 channels",
    ),
    "two coefficients": (array(f"{CODES}/coefficients", lambda a: a[:, :2]), "shape (4, 2)"),
    "coefficients that leave int32": (
        array(f"{CODES}/coefficients", lambda a: a * 0 + 2**29),
        "its coefficients is not in",
    ),
    "an integer that moves": (array(f"{CODES}/lift", lambda a: a * 0), "its lift of 0"),
    "one term of a sum": (
        lambda meta, arrays: instruction(meta, "body.add.acc").update(inputs=["body.add.a"]),
        "inputs",
    ),
    "two inputs of a border": (
        lambda meta, arrays: instruction(meta, CODES).update(inputs=[STEPS, STEPS]),
        "inputs",
    ),
}
FLOAT_CHANGES: dict[str, tuple[Change, str]] = {
    "a multiplier of 0": (array(f"{STEPS}/multiplier", lambda a: a * 0), "above 0"),
    "a multiplier of NaN": (array(f"{STEPS}/multiplier", lambda a: a * np.nan), "above 0"),
    "an infinite multiplier": (array(f"{STEPS}/multiplier", lambda a: a * np.inf), "above 0"),
    "an integer profile": (attribute(STEPS, profile="exact"), "its profile cannot be 'exact'"),
    "a multiplier of float32": (
        array(f"{STEPS}/multiplier", lambda a: a.astype(np.float32)),
        "its multiplier is float32",
    ),
}


MODEL = networks.residual_network(3, pool=True)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("programs")
    for profile in ("exact", "float32"):
        lower(MODEL, "fixed_point", profile=profile).save(folder / f"{profile}.npz")
    return {profile: folder / f"{profile}.npz" for profile in ("exact", "float32")}


@pytest.mark.parametrize("name", CHANGES | FLOAT_CHANGES)
def test_a_program_that_cannot_be_run_is_refused(
    saved: dict[str, Path], tmp_path: Path, name: str
) -> None:
    change, words = (CHANGES | FLOAT_CHANGES)[name]
    meta, arrays = native.load(saved["exact" if name in CHANGES else "float32"], "program")
    change(meta, arrays)
    path = tmp_path / "changed.npz"
    native.save(path, "program", meta=meta, arrays=arrays)
    with pytest.raises(InputError, match=r"changed.npz: is not an integer program .*") as error:
        Program.load(path)
    assert words in str(error.value)


def test_the_programs_themselves_are_accepted_and_give_the_same(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    images = networks.hard_images(MODEL, 5)
    for profile, path in saved.items():
        again = Program.load(path)
        again.save(tmp_path / "again.npz")
        assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()
        computed = Engine(again).run(images)
        for name, tensor in (
            Engine(lower(MODEL, "fixed_point", profile=profile)).run(images).items()
        ):
            assert computed[name].tobytes() == tensor.tobytes()


numbers = st.one_of(
    st.sampled_from([0, 1, 2**29, 2**30, 2**31 - 1, -1, -(2**30), -(2**31)]),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-70, 70),
)


def with_other_numbers(each: Instruction, data: st.DataObject) -> Instruction:
    """One or two of its numbers, in arrays or attributes, replaced."""
    arrays = {key: array.copy() for key, array in each.arrays.items()}
    attributes = dict(each.attributes)
    keys = [*arrays, *(key for key, value in attributes.items() if type(value) is int)]
    for key in data.draw(st.sets(st.sampled_from(keys), min_size=1, max_size=2)):
        value = data.draw(numbers, label=key)
        if key in arrays:
            arrays[key].flat[data.draw(st.integers(0, arrays[key].size - 1))] = value
        else:
            attributes[key] = value
    return replace(each, arrays=arrays, attributes=attributes)


@given(seed=st.integers(0, 10**6), data=st.data())
def test_what_is_accepted_runs_and_stays_inside_its_bounds(seed: int, data: st.DataObject) -> None:
    """Any numbers in place of a program's own: refused, or run without a wrap."""
    model = networks.residual_network(seed)
    program = lower(model, "fixed_point", fraction_bits=3)
    name = data.draw(st.sampled_from([STEPS, CODES, "body.add.a", "body.relu2"]))
    instructions = tuple(
        with_other_numbers(each, data) if each.name == name else each
        for each in program.instructions
    )
    changed = replace(program, instructions=instructions)
    try:
        changed.validate()
        known = changed.bounds
    except ValueError:
        return
    for tensor, values in Engine(changed).run(networks.hard_images(model, 4)).items():
        assert values.min() >= known[tensor][0].min()
        assert values.max() <= known[tensor][1].max()
