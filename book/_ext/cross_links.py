"""Links that nobody types: words to the glossary, names to the package's pages, and back.

- The first use of every word of the glossary on a page leads to its entry. Headings, code and what
  is a link already are left alone. ``PLAIN`` has the uses of a word in its everyday meaning.
- The first time that a page's prose names a function, class, encoder or decoder (in code font), it
  leads to its entry on the page of the package. The last lines of a page list what its code uses.
- Every entry of the package lists the sections whose code or prose uses it, and that teach it.
"""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.util import inspect

API, GLOSSARY = "book/api", "book/glossary"

# Where a word has its everyday meaning: these matches are not linked, the next one is.
PLAIN = {
    "gap": r"gap (is (far )?wider|passes)|as gaps|the low, and a gap|minus a gap|makes no gap",
    "job": r"(different|two) jobs",
    "kernel": r"(fast|accelerated) kernels?",
    "lead": r"leads? (to|from)|(lost that|its|it|not a) leads?|lead that is smaller",
    "loss": r"negative one a loss|real loss",
    "panel": r"solar panels?|row of a panel is",
    "patch": r"patches of the map",
    "precision": r"single precision",
    "sample": r"fair sample|sample of (a few|the series|the windows)|(your|the) sample",
    "season": r"season of the year|in one season say|has every season|of seasons ahead",
    "skip": r"skip (the|out|where)|(that|also|model) skips?|[\"“]skip[\"”]",
    "state": r"Australian state|machine state|(eight|8|no|two) states"
    r"|state (of Victoria|and industry|belong|that it does not)",
    "table": r"table (above|at the end|that says|says so|of a backtest|of July)|spread of the table"
    r"|(this|such a|their) tables?",
    "unit": r"(own|what|per|that|their|common|different|no|without a) units?"
    r"|units? (of|that|\(scaling|are the same|differ|is measured|above|changed)",
}
NO_WORDS_IN = (
    *(nodes.title, nodes.rubric, nodes.literal, nodes.literal_block, nodes.doctest_block),
    *(nodes.reference, nodes.raw, nodes.term, nodes.field_name, nodes.math, nodes.comment),
    *(nodes.strong, nodes.caption, nodes.citation, nodes.image),
    *(addnodes.pending_xref, addnodes.desc_signature, addnodes.literal_strong),
)
TITLES = {"sd-summary-title", "sd-card-title", "sd-tab-label", "sd-summary-text", "verified"}

# Short names that are words of the table or of the prose too: linked only as `tsf.name` or `name()`.
ALSO_WORDS = {"forecast", "score", "importance", "adapt", "predict", "coverage", "read", "write"}


# --- words -----------------------------------------------------------------------------------------


def glossary_terms(page: str) -> list[str]:
    """The words of the glossary, as its page has them."""
    block = re.search(r"^```\{glossary\}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return re.findall(r"^(\w[^\n]*)$", block[1], re.MULTILINE) if block else []


def word_pattern(terms: list[str]) -> re.Pattern[str]:
    """Any of the words, the longest first, also as a plural; names in capitals only so."""
    longest = sorted(terms, key=len, reverse=True)
    words = [re.escape(term).replace(r"\ ", r"\s+") for term in longest]
    words = [
        f"(?-i:{word})" if term != term.lower() else word
        for term, word in zip(longest, words, strict=True)
    ]
    return re.compile(rf"(?<![\w.-])(?:({'|'.join(words)})(?:s|es)?)(?![\w-])", re.IGNORECASE)


def in_prose(node: nodes.Node) -> bool:
    """Is this text something to read on, not a heading, code or a link?"""
    parent = node.parent
    while parent is not None:
        if isinstance(parent, NO_WORDS_IN) or TITLES & set(parent.get("classes", [])):
            return False
        if type(parent).__name__.endswith("_title") or type(parent).__name__.startswith("quiz"):
            return False
        parent = parent.parent
    return True


def everyday(term: str, text: str, match: re.Match[str]) -> bool:
    """Does the word stand here in a meaning that the glossary does not have?"""
    around = PLAIN.get(term, "")
    return bool(around) and any(
        found.start() <= match.start() and match.end() <= found.end()
        for found in re.finditer(around.replace(" ", r"\s+"), text, re.IGNORECASE)
    )


def link_words(doctree: nodes.document, docname: str, terms: list[str]) -> list[str]:
    """Link each word where it is first used; returns the words that are used."""
    pattern = word_pattern(terms)
    names = {re.sub(r"\s+", " ", term).lower(): term for term in terms}
    done: dict[str, None] = {}
    for node in list(doctree.findall()):
        if isinstance(node, addnodes.pending_xref) and node.get("reftype") == "term":
            done[names.get(node["reftarget"].lower(), node["reftarget"])] = None
        if not isinstance(node, nodes.Text) or not in_prose(node):
            continue
        text, pieces, last = str(node), [], 0
        for match in pattern.finditer(text):
            term = names[re.sub(r"\s+", " ", match[1]).lower()]
            if term in done or everyday(term, text, match):
                continue
            done[term] = None
            pieces += [nodes.Text(text[last : match.start()]), word_link(term, match[0], docname)]
            last = match.end()
        if pieces:
            node.parent.replace(node, [*pieces, nodes.Text(text[last:])])
    return list(done)


def link(kind: tuple[str, str], target: str, shown: nodes.Node, docname: str) -> nodes.Element:
    """A link that Sphinx resolves, and that is an error where there is nothing to lead to."""
    return addnodes.pending_xref(
        "",
        shown,
        refdomain=kind[0],
        reftype=kind[1],
        reftarget=target,
        refdoc=docname,
        refexplicit=True,
        refwarn=True,
    )


def word_link(term: str, shown: str, docname: str) -> nodes.Element:
    words = nodes.inline("", shown, classes=["glossary-word"])
    return link(("std", "term"), term, words, docname)


# --- names of the package --------------------------------------------------------------------------


def api_names(page: str) -> dict[str, str]:
    """How code writes each entry of the package's page, and its full name."""
    full = re.findall(r"^\.\. auto\w+:: (tsforecast\.[\w.]+)$", page, re.MULTILINE)
    names = {name.removeprefix("tsforecast."): name for name in full}
    for name in full:  # an encoder or a decoder is named as its argument
        if name.startswith("tsforecast.models."):
            names[name.rsplit(".", 1)[1]] = name
    return names


def taught(page: str) -> list[tuple[str, str]]:
    """Each entry of the package's page, and the label of the section that teaches it."""
    entry = (
        r"^\.\. auto\w+:: (tsforecast\.[\w.]+)$(?:(?!^\.\. auto).)*?\*Taught in\* :ref:`([\w-]+)`"
    )
    return re.findall(entry, page, re.DOTALL | re.MULTILINE)


def names_in_code(code: str, names: dict[str, str]) -> list[str]:
    """Full names of what a piece of code uses, in its order."""
    found = re.findall(r"\btsf\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)", code)
    found += re.findall(r"\b(?:en|de)coder=\"(\w+)\"", code)
    used: dict[str, None] = {}
    for name in found:
        for candidate in (name, name.split(".")[0]):
            if candidate in names:
                used[names[candidate]] = None
                break
    return list(used)


def name_in_prose(literal: str, names: dict[str, str]) -> str | None:
    """The entry that a word in code font stands for: `fit`, `tsf.fit`, `fit(...)`."""
    match = re.fullmatch(r"(tsf\.)?([A-Za-z_][\w.]*?)(\(.*\))?", literal, re.DOTALL)
    if not match or match[2] not in names:
        return None
    if match[2] in ALSO_WORDS and not (match[1] or match[3]):
        return None
    return names[match[2]]


def section_of(node: nodes.Node) -> tuple[str, str]:
    """The anchor and the heading of the section that a node is in."""
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    if node is None:
        return "", ""
    title = node.next_node(nodes.title)
    return node["ids"][0], title.astext() if title else ""


def link_names(
    doctree: nodes.document, docname: str, names: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Link names in the prose; returns what the page uses, and the section of the first use."""
    uses: dict[str, tuple[str, str]] = {}
    linked: set[str] = set()
    for node in list(doctree.findall()):
        if isinstance(node, nodes.literal_block):
            for name in names_in_code(node.astext(), names):
                uses.setdefault(name, section_of(node))
        elif isinstance(node, addnodes.pending_xref) and node.get("refdomain") == "py":
            if node["reftarget"] in names.values():
                uses.setdefault(node["reftarget"], section_of(node))
                linked.add(node["reftarget"])
        elif type(node) is nodes.literal and in_prose(node):
            name = name_in_prose(node.astext(), names)
            if name:
                uses.setdefault(name, section_of(node))
            if name and name not in linked:
                linked.add(name)
                wrapped = name_link(name, node.deepcopy(), docname)
                node.parent.replace(node, wrapped)
    return uses


def name_link(name: str, shown: nodes.Node, docname: str) -> nodes.Element:
    return link(("py", "obj"), name, shown, docname)


def package_line(uses: dict[str, Any], docname: str) -> nodes.paragraph:
    """The line at the end of a page: what of the package it uses."""
    line = nodes.paragraph("", "From the package: ", classes=["used-here"])
    for i, name in enumerate(sorted(uses, key=lambda name: name.rsplit(".", 1)[1].lower())):
        short = name.removeprefix("tsforecast.").removeprefix("models.")
        line += nodes.Text(", " if i else "")
        line += name_link(name, nodes.literal("", short), docname)
    line += nodes.Text(".")
    return line


def used_in(app: Any, places: dict[str, tuple[str, str]]) -> nodes.paragraph:
    """The line at the end of an entry: the pages that use it, each at the first section that does."""
    line = nodes.paragraph("", "Used in: ", classes=["used-in"])
    for i, docname in enumerate(in_order(app, places)):
        anchor, heading = places[docname]
        title = app.env.titles[docname].astext()
        shown = title if heading in ("", title) else f"{title}, {heading}"
        uri = app.builder.get_relative_uri(API, docname) + (f"#{anchor}" if anchor else "")
        line += nodes.Text("; " if i else "")
        line += nodes.reference("", shown, internal=True, refuri=uri)
    line += nodes.Text(".")
    return line


def in_order(app: Any, places: Any) -> list[str]:
    """Pages as the book has them."""
    order = [app.config.root_doc]
    for docname in order:  # grows while it is read
        order += [name for name in app.env.toctree_includes.get(docname, []) if name not in order]
    return sorted(places, key=lambda name: order.index(name) if name in order else len(order))


# --- Sphinx ----------------------------------------------------------------------------------------


def read_page(app: Any, name: str) -> str:
    return Path(app.env.doc2path(name)).read_text(encoding="utf-8")


def on_read(app: Any, doctree: nodes.document) -> None:
    docname = app.env.docname
    if not hasattr(app.env, "package_uses"):
        app.env.package_uses = {}
    if docname not in (API, GLOSSARY):
        page = read_page(app, API)
        uses = link_names(doctree, docname, api_names(page))
        sections = {name: node for node in doctree.findall(nodes.section) for name in node["names"]}
        for name, label in taught(page):
            if label in sections:
                uses.setdefault(name, section_of(sections[label]))
        app.env.package_uses[docname] = uses
        sections = [node for node in doctree.children if isinstance(node, nodes.section)]
        if uses and docname.startswith("notebooks/") and sections:
            sections[-1].append(package_line(uses, docname))
    if docname != GLOSSARY:
        link_words(doctree, docname, glossary_terms(read_page(app, GLOSSARY)))


def on_merge(app: Any, env: Any, docnames: Any, other: Any) -> None:
    env.package_uses = {**getattr(env, "package_uses", {}), **getattr(other, "package_uses", {})}


def on_purge(app: Any, env: Any, docname: str) -> None:
    getattr(env, "package_uses", {}).pop(docname, None)


def on_updated(app: Any, env: Any) -> list[str]:
    return [API]  # its entries say where they are used


def on_resolved(app: Any, doctree: nodes.document, docname: str) -> None:
    if docname != API:
        return
    for entry in doctree.findall(addnodes.desc):
        signature = entry.next_node(addnodes.desc_signature)
        name = [*signature["ids"], ""][0]
        uses = app.env.package_uses.items()
        places = {page: found[name] for page, found in uses if name in found}
        if places:
            entry.next_node(addnodes.desc_content).append(used_in(app, places))


def whole_sentence(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """napoleon takes what stands before a colon in a property's docstring for its type."""
    types = [line for line in lines if line.startswith(":type: ")]
    if what == "property" and types:
        lines.remove(types[0])
        lines[0] = f"{types[0].removeprefix(':type: ')}: {lines[0]}"


def own_arguments(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: Any
) -> tuple[str, Any] | None:
    """Of a layer, the arguments of its ``__init__``: autodoc would show Keras's ``__new__``."""
    if what != "class" or signature != "(*args, **kwargs)" or "__init__" not in vars(thing):
        return None
    arguments = inspect.signature(thing.__init__, bound_method=True)
    short = {"show_return_annotation": False, "unqualified_typehints": True}
    return inspect.stringify_signature(arguments, **short), returns


def setup(app: Any) -> dict[str, Any]:
    app.connect("autodoc-process-signature", own_arguments)
    app.connect("autodoc-process-docstring", whole_sentence, priority=600)  # after napoleon
    app.connect("doctree-read", on_read, priority=400)  # before the line on versions is added
    app.connect("env-merge-info", on_merge)
    app.connect("env-purge-doc", on_purge)
    app.connect("env-updated", on_updated)
    app.connect("doctree-resolved", on_resolved)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
