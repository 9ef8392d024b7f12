"""Questions with a choice of answers, each explained: ``{quiz}``, in plain HTML.

    ```{quiz} How many windows does a table of 100 rows give?
    - [ ] 100 :: Why this is wrong.
    - [x] 90 :: Why this is right.
    ```

Each answer is a radio button, and its explanation is folded until it is chosen: by the style sheet
alone, so that it works without JavaScript. ``quiz.js`` reads the explanation to a screen reader.
In a book on paper the answers follow the question as a list.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ANSWER = re.compile(r"- \[([ x])\] (.+?) :: (.+)")


class quiz(nodes.General, nodes.Element):
    """A question and its answers."""


class quiz_question(nodes.General, nodes.TextElement):
    """What is asked."""


class quiz_answer(nodes.General, nodes.Element):
    """An answer, and why it is right or wrong."""


class quiz_choice(nodes.General, nodes.TextElement):
    """What one may choose."""


class quiz_why(nodes.General, nodes.TextElement):
    """Why it is right or wrong."""


def answers(lines: list[str]) -> list[tuple[bool, str, str]]:
    """Each answer: is it right, its text, its explanation. One is right, two or more are wrong."""
    found = []
    for line in lines:
        if not line.strip():
            continue
        match = ANSWER.fullmatch(line.strip())
        if not match:
            raise ValueError(f"not an answer: {line!r}. Write '- [ ] answer :: why'")
        found.append((match[1] == "x", match[2], match[3]))
    right = sum(correct for correct, _, _ in found)
    if right != 1 or len(found) < 3:
        raise ValueError(f"one answer must be right and two wrong: {right} of {len(found)} are")
    return found


class Quiz(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        try:
            found = answers(list(self.content))
        except ValueError as error:
            raise self.error(str(error)) from None
        name = f"quiz-{self.env.new_serialno('quiz') + 1}"
        node = quiz(name=name, classes=["quiz"])
        node += quiz_question("", "", *self.inline(self.arguments[0]))
        for correct, text, why in found:
            answer = quiz_answer(correct=correct)
            answer += quiz_choice("", "", *self.inline(text))
            answer += quiz_why("", "", *self.inline(why))
            node += answer
        return [node]

    def inline(self, text: str) -> list[nodes.Node]:
        found, messages = self.state.inline_text(text, self.lineno)
        if messages:
            raise ExtensionError(f"{self.env.docname}: {text!r} cannot be read")
        return list(found)


def visit_quiz(self: Any, node: quiz) -> None:
    self.body.append('<fieldset class="quiz">\n')


def depart_quiz(self: Any, node: quiz) -> None:
    self.body.append('<p class="quiz-said" role="status"></p>\n</fieldset>\n')


def visit_question(self: Any, node: quiz_question) -> None:
    self.body.append("<legend>")


def depart_question(self: Any, node: quiz_question) -> None:
    self.body.append("</legend>\n")


def visit_answer(self: Any, node: quiz_answer) -> None:
    name = node.parent["name"]
    number = node.parent.index(node)
    kind = "right" if node["correct"] else "wrong"
    self.body.append(
        f'<div class="quiz-answer quiz-{kind}">'
        f'<input type="radio" name="{name}" id="{name}-{number}">'
    )


def depart_answer(self: Any, node: quiz_answer) -> None:
    self.body.append("</div>\n")


def visit_choice(self: Any, node: quiz_choice) -> None:
    answer = node.parent
    self.body.append(f'<label for="{answer.parent["name"]}-{answer.parent.index(answer)}">')


def depart_choice(self: Any, node: quiz_choice) -> None:
    self.body.append("</label>")


def visit_why(self: Any, node: quiz_why) -> None:
    word = "Right." if node.parent["correct"] else "No."
    self.body.append(f'<p class="quiz-why"><strong>{word}</strong> ')


def depart_why(self: Any, node: quiz_why) -> None:
    self.body.append("</p>")


def on_paper(app: Any, doctree: nodes.document, docname: str) -> None:
    """What has no radio buttons shows the question, the answers and the explanations as a list."""
    if app.builder.format == "html":
        return
    for node in list(doctree.findall(quiz)):
        items = nodes.bullet_list()
        for answer in node.findall(quiz_answer):
            word = "Right. " if answer["correct"] else "Wrong. "
            text = nodes.paragraph("", "", *answer[0].children)
            why = nodes.paragraph("", word, *answer[1].children)
            items += nodes.list_item("", text, why)
        question = nodes.paragraph("", "", nodes.strong("", "", *node[0].children))
        node.replace_self([question, items])


def setup(app: Any) -> dict[str, Any]:
    app.add_directive("quiz", Quiz)
    app.add_node(quiz, html=(visit_quiz, depart_quiz))
    app.add_node(quiz_question, html=(visit_question, depart_question))
    app.add_node(quiz_answer, html=(visit_answer, depart_answer))
    app.add_node(quiz_choice, html=(visit_choice, depart_choice))
    app.add_node(quiz_why, html=(visit_why, depart_why))
    app.add_js_file("quiz.js", loading_method="defer")
    app.connect("doctree-resolved", on_paper)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
