"""Keeps the floors: who may import whom, who may print, and what nobody may do."""

from __future__ import annotations

import ast
import sys
from collections.abc import Container, Iterator
from functools import cache
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parent.parent
SOURCES = [
    path.relative_to(CLONE)
    for package in ("aquant_ref", "reference_models")
    for path in sorted((CLONE / package).rglob("*.py"))
]
ENGINE = Path("aquant_ref/engine/fast/run.py")
NATIVE = Path("aquant_ref/formats/native.py")
ORACLE = Path("aquant_ref/oracle.py")

# From the ground up. A file imports from its own room or from a lower floor; rooms of one floor do
# not know each other.
FLOORS = [
    {"errors", "oracle", "rows", "typing"},
    {"progress", "threads", "versions"},
    {"checks"},
    {"formats", "given", "integer", "outputs"},
    {"data", "engine"},
    {"quant"},
    {"nn"},
    {"model"},
    {"ptq", "reference_models", "lowering"},
    {"simulate"},
    {"certification", "conformance"},
    {"comparison"},
    {"experiments"},
    {"claims"},
    {"cli"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
THIRD_PARTY = {"PIL", "autograd", "matplotlib", "numpy", "safetensors", "scipy", "tqdm"}
# What an extra brings is imported by the files that need it, and by nothing that everybody imports.
ENGINES = Path("aquant_ref/conformance/adapters/engines")
OPTIONAL = {
    ENGINES / "litert.py": {"ai_edge_litert"},
    ENGINES / "litert_graph.py": {"ai_edge_litert", "flatbuffers"},
    ENGINES / "onnx_graph.py": {"onnx"},
    ENGINES / "onnx_reference.py": {"onnx"},
    ENGINES / "onnx_runtime.py": {"onnxruntime"},
    ENGINES / "pytorch.py": {"torch"},
    Path("aquant_ref/conformance/plugin.py"): {"pytest"},
    Path("aquant_ref/conformance/strategies/scalars.py"): {"hypothesis"},
    Path("aquant_ref/conformance/strategies/tensors.py"): {"hypothesis"},
    Path("aquant_ref/formats/text.py"): {"tomli"},
}
UNPICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((CLONE / path).read_text(encoding="utf-8"))


def imported_names(tree: ast.Module, path: Path, without: Container[ast.AST] = ()) -> Iterator[str]:
    """Every imported name, absolute and dotted: `from a.b import c` is "a.b.c"."""
    for node in ast.walk(tree):
        if node in without:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.parts[: len(path.parent.parts) - node.level + 1]
            base = ".".join([*(package if node.level else ()), *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def imports(path: Path) -> frozenset[str]:
    return frozenset(imported_names(tree_of(path), path))


def room_of(name: str) -> str | None:
    """The room that an imported name belongs to; None for what is not ours or `aquant_ref` itself.

    `from aquant_ref import __version__` enters no room.
    """
    package, _, rest = name.partition(".")
    if package == "reference_models":
        return package
    room = rest.partition(".")[0]
    return room if package == "aquant_ref" and room and not room.startswith("__") else None


def room_of_file(path: Path) -> str | None:
    return room_of(".".join(path.with_suffix("").parts))


def each(files: list[Path]) -> pytest.MarkDecorator:
    """Run the test once for each file."""
    return pytest.mark.parametrize("path", files, ids=Path.as_posix)


def reachable(path: Path) -> set[Path]:
    """The file and all files of ours that it imports, directly or through others."""
    reached: set[Path] = set()
    waiting = {path}
    while waiting:
        path = waiting.pop()
        reached.add(path)
        for name in imports(path):
            whole = name.replace(".", "/")
            for module in (whole, whole.rpartition("/")[0]):  # the name is a module or is in one
                files = {Path(f"{module}.py"), Path(module, "__init__.py")}
                waiting |= (files & set(SOURCES)) - reached
    return reached


def names_read(tree: ast.Module) -> set[str]:
    """Names and attributes as written: "print", "np.load", "sys.stdout"."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    return {ast.unparse(node) for node in nodes}


IN_ROOMS = [path for path in SOURCES if room_of_file(path)]  # all but aquant_ref/__init__.py


# The floors


@each(IN_ROOMS)
def test_every_file_has_a_floor(path: Path) -> None:
    room = room_of_file(path)
    assert room in FLOOR_OF, f"{room} has no place in FLOORS of this test"


@each(IN_ROOMS)
def test_a_file_imports_only_from_its_own_room_or_a_lower_floor(path: Path) -> None:
    own = room_of_file(path)
    assert own is not None
    lower = set().union(*FLOORS[: FLOOR_OF[own]])
    above = [name for name in imports(path) if room_of(name) not in {None, own} | lower]
    assert not above


@each(SOURCES)
def test_no_file_goes_around_the_floors_through_the_whole_package(path: Path) -> None:
    """`import aquant_ref.x` would give every room, since the package imports them on demand."""
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import)]
    whole = [a.name for node in nodes for a in node.names if not a.asname]
    assert not [name for name in whole if name.partition(".")[0] == "aquant_ref"]


@each([path for path in SOURCES if path.is_relative_to("aquant_ref/engine")])
def test_the_engine_imports_integers_files_and_threads_alone(path: Path) -> None:
    rooms = {room_of(name) for name in imports(path)} - {None}
    assert rooms <= {
        "engine",
        "integer",
        "formats",
        "errors",
        "checks",
        "rows",
        "threads",
        "typing",
    }


@pytest.mark.parametrize("room", ["simulate", "nn", "quant", "ptq"])
def test_the_integer_engine_reaches_no_float_room(room: str) -> None:
    if ENGINE not in SOURCES:
        pytest.skip(f"{ENGINE} is not there yet")
    assert room not in {room_of_file(path) for path in reachable(ENGINE)}


def test_the_simulation_never_reaches_the_engine() -> None:
    simulate = [path for path in SOURCES if room_of_file(path) == "simulate"]
    assert not [path for start in simulate for path in reachable(start) if "engine" in path.parts]


@cache
def modules_imported(path: Path) -> frozenset[Path]:
    """The files of ours that `path` imports when it is imported itself, for annotations as well.
    The whole package, of which one may read the version, is left out.
    """
    tree = tree_of(path)
    inside = {
        node for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for node in ast.walk(f)
    }
    found = set()
    for name in imported_names(tree, path, without=inside):
        whole = name.replace(".", "/")
        files = [Path(f"{whole}.py"), Path(whole, "__init__.py")]
        files += [Path(f"{whole.rpartition('/')[0]}.py"), Path(whole).parent / "__init__.py"]
        found |= {next((file for file in files if file in SOURCES), path)}
    return frozenset(found - {path, Path("aquant_ref/__init__.py")})


def circles(files: list[Path]) -> list[Path]:
    """The files that import each other, whatever way round; empty where there are none."""
    waiting = {path: set(modules_imported(path)) for path in files}
    while free := [path for path, needed in waiting.items() if not needed & waiting.keys()]:
        for path in free:
            del waiting[path]
    return sorted(waiting)


def test_no_files_import_each_other() -> None:
    assert not circles(SOURCES)


def test_files_that_import_each_other_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = (Path(f"aquant_ref/{name}.py") for name in "abc")
    arrows = {a: {b}, b: {a}, c: {a}}
    monkeypatch.setitem(globals(), "modules_imported", arrows.__getitem__)
    assert circles([a, b]) == [a, b]
    monkeypatch.setitem(arrows, b, set())
    assert not circles([a, b, c])


# The outside world


@each(SOURCES)
def test_only_the_declared_dependencies_are_imported(path: Path) -> None:
    """And so torch in its adapter alone."""
    top = {name.partition(".")[0] for name in imports(path)}
    ours = {"aquant_ref", "reference_models"}
    assert top <= sys.stdlib_module_names | THIRD_PARTY | OPTIONAL.get(path, set()) | ours


def test_the_oracle_imports_the_standard_library_alone() -> None:
    if ORACLE not in SOURCES:
        pytest.skip(f"{ORACLE} is not there yet")
    assert {name.partition(".")[0] for name in imports(ORACLE)} <= sys.stdlib_module_names


@each([path for path in SOURCES if path == ENGINE or room_of_file(path) == "integer"])
def test_integer_arithmetic_needs_no_package_but_numpy(path: Path) -> None:
    assert not {name.partition(".")[0] for name in imports(path)} & (THIRD_PARTY - {"numpy"})


# What nobody does


ALONE = Path("aquant_ref/conformance/check_proof.py")  # to be copied and run by itself


@each([path for path in SOURCES if room_of_file(path) not in ("cli", "terminal") and path != ALONE])
def test_only_the_command_line_prints(path: Path) -> None:
    assert not names_read(tree_of(path)) & {"print", "sys.stdout", "sys.stderr"}


@each(SOURCES)
def test_nothing_is_pickled_or_unpickled(path: Path) -> None:
    tree = tree_of(path)
    assert not {name.partition(".")[0] for name in imports(path)} & UNPICKLERS
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False"


@each(SOURCES)
def test_one_file_reads_and_writes_arrays(path: Path) -> None:
    """`np.save` pickles objects unless told not to; `formats/native.py` never does."""
    calls = {"load", "save", "savez", "savez_compressed"}
    written = {f"{numpy}.{call}" for numpy in ("np", "numpy") for call in calls}
    assert path == NATIVE or not names_read(tree_of(path)) & written


def opened_without_formats(tree: ast.AST) -> list[str]:
    """What opens images in whatever format their content says."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    found = []
    for call in calls:
        name = ast.unparse(call.func)
        plain = name.endswith("Image.open") and not {"formats"} & {k.arg for k in call.keywords}
        if plain or name.rpartition(".")[2] == "imread":
            found.append(name)
    return found


def test_images_are_opened_in_named_formats_alone() -> None:
    """Pillow goes by content, and starts Ghostscript for PostScript that is called x.png."""
    tests = [path.relative_to(CLONE) for path in (CLONE / "tests").rglob("*.py")]
    reading = ("PIL", "imread")
    for path in (*SOURCES, *tests):
        if any(word in (CLONE / path).read_text(encoding="utf-8") for word in reading):
            assert not opened_without_formats(tree_of(path)), path
            assert "PIL.Image.open" not in imports(path), path


@pytest.mark.parametrize("call", ["Image.open(x)", "PIL.Image.open(x, 'r')", "plt.imread(x)"])
def test_an_image_that_is_opened_in_any_format_is_seen(call: str) -> None:
    assert opened_without_formats(ast.parse(call))
    assert not opened_without_formats(ast.parse("Image.open(x, formats=FORMATS)"))


# Those that do not read what a stranger may have written, and the two that have the limits.
READERS = {
    Path("aquant_ref/conformance/adapters/process.py"),  # what the system says of processes
    Path(
        "aquant_ref/conformance/adapters/library/host.py"
    ),  # what the kit asks of the process it starts
    Path("aquant_ref/formats/atomic.py"),  # a file of its own, under a temporary name
    Path("aquant_ref/formats/measured.py"),  # whether a page has changed
    Path("aquant_ref/formats/text.py"),
    Path("aquant_ref/formats/untrusted.py"),
    Path("reference_models/__init__.py"),  # the cards of this package
}


@each(SOURCES)
def test_one_file_reads_what_a_stranger_may_have_written(path: Path) -> None:
    """Whatever goes around `formats/untrusted.py` goes around its limits."""
    last = {name.rpartition(".")[2] for name in names_read(tree_of(path)) if "." in name}
    assert path in READERS or not last & {"loads", "read_bytes", "read_text"}
    if path == ALONE:
        assert not {name for name in imports(path) if room_of(name)}  # and so nothing to read with
        return
    other = {"gzip.open", "io.open", "json.load", "np.fromfile", "np.loadtxt", "tarfile.open"}
    assert not names_read(tree_of(path)) & other


@each(SOURCES)
def test_no_file_is_named_after_nothing(path: Path) -> None:
    assert not {path.stem, *path.parts} & {"common", "helpers", "misc", "utils"}


# This test itself: a check that sees no import would pass whatever the files do


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import aquant_ref.nn.conv as conv", "aquant_ref.nn.conv"),
        ("from aquant_ref import simulate", "aquant_ref.simulate"),
        ("from aquant_ref.nn import conv", "aquant_ref.nn.conv"),
        ("from . import atomic", "aquant_ref.formats.atomic"),
        ("from .atomic import replacing", "aquant_ref.formats.atomic.replacing"),
        ("from .. import nn", "aquant_ref.nn"),
        ("from ..nn.graph import Graph", "aquant_ref.nn.graph.Graph"),
        ("def f():\n    import torch.nn", "torch.nn"),
    ],
)
def test_an_import_is_seen_however_it_is_written(source: str, name: str) -> None:
    assert set(imported_names(ast.parse(source), NATIVE)) == {name}


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("aquant_ref.nn.graph.Graph", "nn"),
        ("aquant_ref.errors.InputError", "errors"),
        ("aquant_ref.__version__", None),
        ("aquant_ref", None),
        ("reference_models.resnet8.build", "reference_models"),
        ("numpy.typing.NDArray", None),
    ],
)
def test_a_name_belongs_to_a_room(name: str, room: str | None) -> None:
    assert room_of(name) == room


def test_imports_are_followed_through_other_files() -> None:
    assert Path("aquant_ref/errors.py") in reachable(NATIVE)
    assert Path("aquant_ref/formats/atomic.py") in reachable(NATIVE)


@each(SOURCES)
def test_no_file_asks_a_path_what_it_is(path: Path) -> None:
    """`Path.exists` raises OSError for a name that is too long; `os.path.exists` says no.

    Entries of folders and archives, which are there, may be asked.
    """
    asked = ("is_dir", "is_file", "is_symlink", "exists")
    methods = [
        ast.unparse(node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in asked
    ]
    of_paths = [name for name in methods if name.split(".")[0] not in {"os", "entry", "info"}]
    assert not of_paths
