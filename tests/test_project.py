"""The files around the book: workflows, citation, licences, change log; links to other sites."""

import http.server
import os
import re
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import links  # noqa: E402

GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))


# --- workflows ------------------------------------------------------------------------------------


def steps(path: Path) -> list[dict]:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_is_a_workflow_that_publishes_and_one_for_every_week():
    assert [path.stem for path in WORKFLOWS] == ["book", "weekly"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_commands_that_the_makefile_has(path):
    commands = "\n".join(step.get("run", "") for step in steps(path))
    called = re.findall(r"\bmake ([a-z-]+)", commands)
    assert called
    assert set(called) <= targets()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_to_a_major_version_and_those_of_our_own_exist(path):
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    for name in used:
        if name.startswith("./"):
            action = yaml.safe_load((ROOT / name / "action.yml").read_text(encoding="utf-8"))
            assert action["runs"]["using"] == "composite"
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", name), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_no_more_than_it_says_and_ends(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"]["contents"] == "read"
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job or name == "publish"
        if "pages" in job.get("permissions", {}):
            assert name == "publish"


def test_only_a_whole_book_is_published():
    """What is published is what `make test` built and checked, and only if all checks passed."""
    jobs = yaml.safe_load(text_of(".github/workflows/book.yml"))["jobs"]
    assert set(jobs["publish"]["needs"]) == {"test", "pythons"}
    assert "always" not in str(jobs["publish"]["if"])
    assert "refs/heads/main" in jobs["publish"]["if"]
    before = [step.get("run", step.get("uses")) for step in jobs["test"]["steps"]]
    artifact = before.index("actions/upload-pages-artifact@v3")
    assert before.index("make test") < before.index("make pdf") < artifact
    pages = next(step for step in jobs["test"]["steps"] if "pages-artifact" in str(step))
    printed = next(step for step in jobs["test"]["steps"] if step.get("run") == "make pdf")
    assert printed["if"] == pages["if"]  # no site is published without its PDF
    assert "always" not in pages["if"]  # so that a failed check leaves nothing to publish
    assert not any(step.get("continue-on-error") for step in jobs["test"]["steps"])


def test_the_checks_of_the_site_refuse_a_book_without_a_page(tmp_path):
    """One page of all is there: the others are named as not built."""
    page = "<html><title>t</title><article><h1>t</h1>" + "words " * 40 + "</article></html>"
    (tmp_path / "index.html").write_text(page)
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "index.html").write_text(page)
    done = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            *["tests/site/test_pages.py", "-k", "test_the_page_exists"],
        ],
        cwd=ROOT,
        env={**os.environ, "BOOK_HTML": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "1 passed" in done.stdout
    assert "notebooks/univariate is in _toc.yml but was not built" in done.stdout


def test_the_weekly_run_takes_new_versions_and_blocks_nothing():
    workflow = yaml.safe_load(text_of(".github/workflows/weekly.yml"))
    assert list(workflow[True]) == ["schedule", "workflow_dispatch"]  # YAML reads `on` as true
    commands = [step.get("run", "") for step in workflow["jobs"]["newest"]["steps"]]
    order = [i for i, text in enumerate(commands) if re.match("make (lock|test)", text)]
    assert [commands[i].split()[1] for i in order] == ["lock", "test"]
    for job in workflow["jobs"].values():
        assert job["steps"][-1]["uses"] == "./.github/actions/report"
        assert job["steps"][-1]["if"] == "always()"


@pytest.mark.parametrize(
    "path", sorted(GITHUB.glob("ISSUE_TEMPLATE/[!c]*.yml")), ids=lambda p: p.stem
)
def test_issue_forms_are_forms(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids)
    assert any(part.get("validations", {}).get("required") for part in form["body"])


# --- citation, licences, change log ---------------------------------------------------------------


def test_the_citation_names_the_version_and_the_licences_of_the_package():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "date-released"} <= set(citation)
    assert citation["version"] == project["version"]
    assert citation["license"] == [project["license"], "CC-BY-4.0"]


def test_the_licence_of_the_text_is_there_and_named():
    licence = text_of("LICENSE-TEXT")
    assert "Creative Commons Attribution 4.0 International Public License" in licence
    assert "Section 8 -- Interpretation." in licence
    address = "https://creativecommons.org/licenses/by/4.0/"
    for name in ("LICENSE-TEXT", "README.md", "_config.yml"):
        assert address in text_of(name)
    assert text_of("LICENSE").startswith("MIT License")


def test_the_readme_names_the_licence_of_every_data_set():
    import tsforecast as tsf

    table = text_of("README.md").split("## Licence")[1]
    functions = [
        name
        for name, thing in vars(tsf.datasets).items()
        if callable(thing)
        and not name.startswith("_")
        and thing.__module__ == tsf.datasets.__name__
    ]
    assert len(functions) >= 7
    assert [name for name in functions if name != "toy" and f"`{name}`" not in table] == []


def test_the_change_log_has_the_form_of_keep_a_changelog():
    log = text_of("CHANGELOG.md")
    assert log.startswith("# Changelog\n")
    sections = re.findall(r"^## (.+)$", log, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    for title in sections[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title), title
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", log, re.MULTILINE)) <= kinds


def test_the_steps_for_authors_name_what_exists_and_are_fewer_than_ten():
    text = text_of("CONTRIBUTING.md")
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets()
    for path in re.findall(r"[\w./]*/[\w.]+\.(?:py|md|bib|yml|ipynb)\b", text):
        assert "NAME" in path or (ROOT / path).exists(), path
    for title in ("a chapter", "a model", "a data set"):
        steps = text.split(f"## Add {title}\n")[1].split("\n## ")[0]
        assert 5 <= len(re.findall(r"^\d\. ", steps, re.MULTILINE)) < 10
    assert len(text_of("STYLE.md").split()) < 750  # one page


# --- links to other sites -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, found",
    [
        ("See https://keras.io/api/.", ["https://keras.io/api/"]),
        ("(https://a.org/x_(y))", ["https://a.org/x_(y)"]),
        ("[a](https://a.org/b), `https://c.org`", ["https://a.org/b", "https://c.org"]),
        ("<https://a.org/?q=1#s>", ["https://a.org/?q=1#s"]),
        ('f"https://a.org/{name}"', []),
        ("**https://a.org**: no", ["https://a.org"]),
    ],
)
def test_addresses_are_found_without_the_marks_around_them(text, found):
    assert links.addresses(text) == found


@pytest.mark.parametrize(
    "address, wrong",
    [
        ("https://doi.org/10.1162/neco.1997.9.8.1735", None),
        ("http://127.0.0.1:8000/", None),
        ("http://keras.io", "use https"),
        ("https://keras", "no such host"),
        ("https://keras..io-/", "no such host"),
        ("https://bit.ly/x", "shortened"),
        ("https://a.org/?utm_source=x", "counts its readers"),
        ("https://a.org:port/", "not an address"),
        ("https://me:secret@a.org/", "a password"),
    ],
)
def test_the_form_of_an_address(address, wrong):
    said = links.form(address)
    assert said is None if wrong is None else wrong in str(said)


def test_all_links_of_the_project_have_the_right_form():
    found = links.where()
    assert len(found) >= 20
    assert "book/references.bib" in {file for files in found.values() for file in files}
    assert {address: links.form(address) for address in found if links.form(address)} == {}


@pytest.fixture(scope="module")
def server():
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response({"/ok": 200, "/bots": 403}.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_link_that_is_gone_is_told_from_one_that_refuses_programs(server, monkeypatch):
    monkeypatch.setattr(links.time, "sleep", lambda _: None)
    assert links.ask(f"{server}/ok#part")[0] == "ok"
    assert links.ask(f"{server}/bots") == ("refused", "403 Forbidden")
    assert links.ask(f"{server}/gone") == ("broken", "404 Not Found")
    assert links.ask("http://127.0.0.1:9/")[0] == "broken"


def test_the_weekly_check_fails_for_a_broken_link_only(server, monkeypatch, capsys):
    monkeypatch.setattr(links, "HERE", set())
    monkeypatch.setattr(links, "form", lambda _: None)
    assert links.check_online({f"{server}/ok": ["a.md"], f"{server}/bots": ["b.md"]}) == 0
    assert links.check_online({f"{server}/ok": ["a.md"], f"{server}/gone": ["b.md", "c.md"]}) == 1
    assert "in b.md, c.md" in capsys.readouterr().out
