"""What stands around every page: buttons that open it elsewhere, a script, links to what you look up.

- Colab and Binder, on the pages of notebooks, if ``repository: url`` of ``_config.yml`` says where
  the book is. Without an address there are no buttons: they would lead nowhere. On GitHub the
  workflow says it (``scripts/try_it.py home``).
- The notebook as a Python script, in the menu of downloads.
- In the footer: the chooser, the questions, the error messages, the glossary and the models.
"""

from pathlib import Path
from typing import Any

import nbformat

BINDER, COLAB = "https://mybinder.org", "https://colab.research.google.com"
LOOK_UP = {
    "book/choose": "Which template do I need?",
    "book/choose#choose-grid": "Models and framings",
    "book/questions": "Questions",
    "notebooks/errors": "Error messages",
    "book/glossary": "Glossary",
    "book/api": "The package",
}


def launchers(url: str) -> dict[str, str]:
    """The options of the theme that make the buttons."""
    if not url:
        return {}
    return {"notebook_interface": "jupyterlab", "binderhub_url": BINDER, "colab_url": COLAB}


def as_script(nb: Any, name: str) -> str:
    """A notebook as a script in the percent format, which editors show as cells."""
    first = f"# {name}.py: the code of a page of the book, cell by cell, and its text as comments."
    needs = '# It needs the package: pip install "PATH/TO/THE/BOOK[all]", see its page on setup.'
    pieces = [f"{first}\n{needs}"]
    for cell in nb.cells:
        if "install" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "code":
            pieces.append(f"# %%\n{cell.source}")
        elif cell.cell_type == "markdown":
            lines = [f"# {line}".rstrip() for line in cell.source.splitlines()]
            pieces.append("\n".join(["# %% [markdown]", *lines]))
    return "\n\n".join(pieces) + "\n"


def footer(pathto: Any) -> str:
    links = []
    for page, words in LOOK_UP.items():
        name, _, anchor = page.partition("#")
        address = pathto(name) + (f"#{anchor}" if anchor else "")
        # On the page itself Sphinx writes "#": say which page, for those who open it in a new tab.
        links.append(f'<a href="{address.replace("##", "#")}">{words}</a>')
    return f'<nav class="look-up" aria-label="Look it up">{" ".join(links)}</nav>'


def on_config(app: Any, config: Any) -> None:
    options = config.html_theme_options
    options["launch_buttons"] = launchers(options.get("repository_url", ""))


def on_page(app: Any, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    below = str(context.get("theme_extra_footer", ""))
    context["theme_extra_footer"] = footer(context["pathto"]) + below
    if not str(context.get("page_source_suffix", "")).endswith(".ipynb"):
        return
    nb = nbformat.read(app.env.doc2path(pagename), as_version=4)
    name = pagename.rsplit("/", 1)[-1]
    script = Path(app.outdir, "_sources", f"{pagename}.py")
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(as_script(nb, name), encoding="utf-8")
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            button = {
                "type": "link",
                "url": f"{context['pathto']('_sources', 1)}/{pagename}.py",
                "text": ".py",
                "icon": "fab fa-python",
                "tooltip": "Download as a script",
                "label": "download-script-button",
            }
            group["buttons"].insert(1, button)


def setup(app: Any) -> dict[str, Any]:
    app.connect("config-inited", on_config, priority=900)  # after Jupyter Book has set its own
    app.connect("html-page-context", on_page, priority=900)  # after the theme's buttons
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
