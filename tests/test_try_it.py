"""A notebook opened elsewhere: its first cell installs all that the others import."""

import ast
import functools
import re
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import try_it  # noqa: E402

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
URL = "https://github.com/somebody/lstm-book"


@functools.cache  # they are large
def read(path):
    return nbformat.read(path, as_version=4)


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@functools.cache
def installed_by(extra):
    """The distributions that come with an extra of the package, and with those in turn."""
    found, todo = set(), [("tsforecast-book", frozenset({extra}))]
    while todo:
        name, extras = todo.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        for line in metadata.requires(name) or []:
            wanted = Requirement(line)
            chosen = [{"extra": e} for e in extras] or [{"extra": ""}]
            if wanted.marker is None or any(wanted.marker.evaluate(e) for e in chosen):
                todo.append((canonical(wanted.name), frozenset(wanted.extras)))
    return {name for name, _ in found}


def imported(nb):
    """The modules outside the standard library that the cells after the first import."""
    names = set()
    for cell in nb.cells:
        if cell.cell_type == "code" and not try_it.is_install(cell):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add(str(node.module).split(".")[0])
    return names - set(sys.stdlib_module_names) - {"tsforecast"}


@pytest.mark.parametrize("path", [*NOTEBOOKS, try_it.TEMPLATE], ids=lambda path: path.stem)
def test_the_first_code_cell_installs_the_package_and_leaves_nothing_behind(path):
    nb = read(path)
    assert try_it.problem(nb, try_it.address()) is None
    assert next(cell for cell in nb.cells if cell.cell_type == "code").outputs == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_the_first_cell_installs_has_every_import(path):
    provided = metadata.packages_distributions()
    has = installed_by("all")
    missing = {
        name
        for name in imported(read(path))
        if not {canonical(dist) for dist in provided.get(name, [])} & has
    }
    assert not missing


def test_on_a_host_that_has_tensorflow_it_installs_all_but_the_models():
    """The extras that the cell names are those of the package, and together they are `all`."""
    extras = re.search(r'extras = "([\w,]+)" if', try_it.first_cell(""))[1].split(",")
    together = set().union(*(installed_by(extra) for extra in extras))
    # What only `models` brings: Keras and TensorFlow, and what these bring.
    assert installed_by("all") - together <= installed_by("models")
    assert "tensorflow-cpu" not in together
    assert "tensorflow" not in together


def test_without_the_package_the_cell_says_where_it_belongs_or_fetches_the_book():
    code = "".join(try_it.first_cell(URL).split())
    assert f"!gitclone-q--depth1{URL}book" in code
    assert "raise" not in code
    assert "http" not in try_it.first_cell("")
    assert "open this notebook in the folder" in try_it.first_cell("")


def test_a_notebook_without_the_cell_or_with_another_address_is_not_in_order():
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A"),
            nbformat.v4.new_code_cell("1 + 1", execution_count=1),
        ]
    )
    assert "does not install" in try_it.problem(nb, "")
    written = try_it.with_first_cell(nb, "")
    assert try_it.problem(written, "") is None
    assert "does not fit _config.yml" in try_it.problem(written, URL)
    again = try_it.with_first_cell(try_it.with_first_cell(written, URL), "")
    assert again == written  # nothing is lost or doubled on the way
    assert [cell.get("execution_count") for cell in written.cells] == [None, 1, 2]


def test_an_address_is_written_where_there_is_none_and_never_over_another():
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    without = re.sub(r"(repository:\n  url: ).*", r'\1""', config)
    said = try_it.with_address(without, URL)
    assert yaml.safe_load(said)["repository"] == {"url": URL, "branch": "main"}
    assert said.replace(URL, "") == without
    assert try_it.with_address(said, "https://github.com/fork/of-it") == said


def test_the_workflow_says_where_the_book_is_before_it_is_built_and_stores_it_before_publishing():
    """Else Colab would open a notebook that does not know where to fetch the book."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/book.yml").read_text("utf-8"))["jobs"]
    built, published = (
        [str(step.get("run", step.get("uses"))) for step in jobs[name]["steps"]]
        for name in ("test", "publish")
    )
    home = next(i for i, text in enumerate(built) if "try_it.py home" in text)
    assert "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" in built[home]
    assert "git diff" in built[home]
    assert home < built.index("make test")
    stored = next(i for i, text in enumerate(published) if "git push" in text)
    assert stored < next(i for i, text in enumerate(published) if "deploy-pages" in text)
    writes = {name for name, job in jobs.items() if "write" in str(job.get("permissions"))}
    assert writes == {"publish"}
