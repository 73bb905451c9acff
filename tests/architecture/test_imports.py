"""Imports point down, siblings of layer 1 never meet, and every library has one home; read from the source."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import hpo

ROOT = Path(hpo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# package -> the packages it may import besides itself and the vocabulary (hpo/*.py)
MAY_IMPORT = {
    "vocabulary": set(),
    # layer 1: siblings never import one another
    "fused": set(),
    "data": set(),
    "samplers": set(),
    "pruners": set(),
    "storage": set(),
    "figures": set(),
    "analysis": set(),
    "models": set(),
    # layer 2
    "workers": {"fused", "data", "pruners", "models"},
    "service": {"samplers", "pruners", "storage", "data", "figures", "analysis", "models"},
    # layer 3: of the workers it sees workers.base only
    "coordinator": {"samplers", "pruners", "storage", "workers", "service"},
    # layer 4
    # of the coordinator only what a study would take
    "api": {"service", "storage", "figures", "coordinator"},
    "client": {"service"},
    # the processes of a server: below the command line, above all that they run
    "server": {"api", "coordinator", "service", "storage", "workers"},
    "testing": {
        "fused",
        "samplers",
        "pruners",
        "storage",
        "workers",
        "models",
        "data",
        "api",
        "server",
        "service",
        "coordinator",
    },
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
ONLY_MODULE = {
    ("coordinator", "workers"): "hpo.workers.base",
    # Study files are read here and checked where they arrive.
    ("client", "service"): "hpo.service.shorthand",
    ("api", "coordinator"): "hpo.coordinator.estimating",
}

# library -> where it may be imported: a package, a folder or a file of one
HOMES = {
    "torch": {"fused", "testing"},
    "ray": {"workers/ray_pool.py", "workers/ray_process.py", "workers/ray_cluster.py"},
    "optuna": {"samplers", "pruners/optuna_pruner.py", "analysis/importance.py", "storage/trials.py", "storage/schema.py",
               "server/dashboard.py",
               "testing"},
    "sqlalchemy": {"storage", "testing"},
    "alembic": {"storage"},
    "optuna_dashboard": {"server/dashboard.py"},
    "pandas": {"data"},
    "sklearn": {"data"},
    "scipy": {"samplers"},
    "pyarrow": {"data", "service/export.py"},
    "pydantic": {"service/specfile.py", "api/schemas", "api/answers.py", "api/bodies.py", "api/names.py", "api/openapi.py"},
    "ruamel": {"service/plain_text.py"},
    "fastapi": {"api", "server/http.py"},
    "starlette": {"api"},
    "uvicorn": {"server", "testing"},
    "pydantic_core": {"api"},
    "prometheus_client": {"api"},
    "opentelemetry": {"api"},
    "anyio": {"api"},
    "jinja2": {"api"},
    "onnx": {"models"},
    "plotly": {"figures"},
    "httpx": {"client", "api/dashboard.py", "testing"},
    "typer": {"cli"},
    "click": {"cli"},
    "safetensors": {"models"},
    "psutil": {"coordinator", "workers", "service", "cli", "testing"},
    "numpy": {"fused", "data", "samplers", "pruners", "storage", "figures", "analysis", "models", "workers", "coordinator",
              "service", "testing"},
    "pytest": {"testing"},
    "hypothesis": {"testing"},
}  # fmt: skip

# Files in which a process begins: they set the environment that torch reads when it is first imported.
ENTRY_POINTS = {"workers/child.py", "workers/ray_pool.py", "workers/ray_worker.py", "samplers/thinking.py"}
# The local database behind the client's interface: a verb that looks does not wait for what others need.
LAZY = {f"service/local{part}.py" for part in ("", "_data", "_models", "_running", "_trials")}


class Import(NamedTuple):
    """One imported module: where, which, and whether inside a function or for type checkers only."""

    file: str
    line: int
    module: str
    function: str | None
    types_only: bool


def imports_of(path: Path) -> list[Import]:
    """Every import of a file, `from hpo import x` as hpo.x."""
    file = path.relative_to(ROOT).as_posix()
    found: list[Import] = []

    def visit(node: ast.AST, function: str | None, types_only: bool) -> None:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: write imports in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            names = []
        found.extend(Import(file, node.lineno, name, function, types_only) for name in names)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            types_only = True
        for child in ast.iter_child_nodes(node):
            visit(child, function, types_only)

    visit(ast.parse(path.read_text(encoding="utf-8")), None, False)
    return found


IMPORTS = [found for path in FILES for found in imports_of(path)]


def package_of(file: str) -> str:
    """The package a file belongs to; files beside the packages are the vocabulary, but for the program's start."""
    if file == "__main__.py":
        return "cli"
    return file.split("/")[0] if "/" in file else "vocabulary"


def package_of_module(module: str) -> str:
    """The package of a module such as hpo.storage.base.Storage."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (ROOT / parts[1]).is_dir() else "vocabulary"


def report(broken: list[Import], rule: str) -> None:
    lines = [f"hpo/{i.file}:{i.line} imports {i.module}" for i in broken]
    assert not broken, f"{rule}:\n" + "\n".join(lines)


def test_every_package_has_its_place_in_the_layers():
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}

    assert packages <= set(MAY_IMPORT), f"say in the layout what {packages - set(MAY_IMPORT)} may import"


@pytest.mark.parametrize("package", sorted({package_of(i.file) for i in IMPORTS}))
def test_imports_point_down_and_siblings_never_meet(package):
    allowed = MAY_IMPORT[package] | {package, "vocabulary"}
    inside = [i for i in IMPORTS if package_of(i.file) == package and i.module.split(".")[0] == "hpo"]

    report(
        [i for i in inside if package_of_module(i.module) not in allowed],
        f"{package} may import {sorted(allowed)}",
    )


def test_of_some_packages_others_see_one_module_only():
    def outside(found: Import) -> bool:
        only = ONLY_MODULE.get((package_of(found.file), package_of_module(found.module)))
        return (
            found.module.startswith("hpo.")
            and only is not None
            and not f"{found.module}.".startswith(f"{only}.")
        )

    report([i for i in IMPORTS if outside(i)], f"only {list(ONLY_MODULE.values())}")


def third_party(found: Import) -> str | None:
    top = found.module.split(".")[0]
    return None if top in ("hpo", "__future__") or top in sys.stdlib_module_names else top


def test_every_library_that_is_imported_has_a_home():
    report([i for i in IMPORTS if third_party(i) not in (None, *HOMES)], "say in the layout where it lives")


@pytest.mark.parametrize("library", sorted(HOMES))
def test_a_library_is_imported_only_at_home(library):
    used = [i for i in IMPORTS if third_party(i) == library and not i.types_only]

    report(
        [i for i in used if not HOMES[library] & {package_of(i.file), i.file.rpartition("/")[0], i.file}],
        f"{library} lives in {sorted(HOMES[library])}",
    )


def test_only_the_command_line_and_process_entry_points_import_inside_functions():
    inside = [i for i in IMPORTS if i.function is not None and package_of(i.file) != "cli"]

    report([i for i in inside if i.file not in ENTRY_POINTS | LAZY], "import at the top of the file")


def test_a_package_drags_nothing_in_by_itself():
    def is_light(node: ast.stmt, package: str) -> bool:
        if isinstance(node, ast.ImportFrom):
            return node.module == "__future__" or (node.module or "").startswith(f"hpo.{package}")
        return isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign)

    for path in ROOT.rglob("__init__.py"):
        package = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        heavy = [n for n in ast.parse(path.read_text(encoding="utf-8")).body if not is_light(n, package)]
        assert not heavy, f"{path.relative_to(ROOT.parent)}:{heavy[0].lineno}: {ast.unparse(heavy[0])}"
