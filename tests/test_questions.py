"""The page of readers' questions: enough of them, short answers, links that lead somewhere."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "questions.md").read_text(encoding="utf-8")
ASKED = json.loads((ROOT / "tests" / "reader_questions.json").read_text(encoding="utf-8"))
ANSWERS = dict(re.findall(r"^\*\*(.+?)\*\* +(.+)$", PAGE, re.MULTILINE))
LABEL = re.compile(r"^\(([a-z0-9-]+)\)=", re.MULTILINE)


def labels():
    found = set()
    for page in (ROOT / "book").glob("*.md"):
        found |= set(LABEL.findall(page.read_text(encoding="utf-8")))
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = [("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]
        found |= set(LABEL.findall("\n".join(text)))
    return found


def sentences(answer):
    text = re.sub(r"`[^`]*`", "x", re.sub(r"\{ref\}`[^`]*`", "This section", answer))
    assert text[-1] in ".?!", answer
    return [part for part in re.split(r"(?<=[.?!]) +", text) if part]


def words(question):
    return frozenset(re.findall(r"[a-z0-9_]+", question.lower()))


def test_there_are_a_hundred_questions_and_no_two_are_the_same():
    paragraphs = [part for part in PAGE.split("\n\n") if part.startswith("**")]
    assert len(paragraphs) == len(ANSWERS) >= 100
    assert len({words(question) for question in ANSWERS}) == len(ANSWERS)
    assert len(set(ANSWERS.values())) == len(ANSWERS)


@pytest.mark.parametrize("question", ANSWERS)
def test_an_answer_is_short_and_leads_to_a_section(question):
    answer = ANSWERS[question]
    assert "?" in question
    assert 2 <= len(sentences(answer)) <= 5
    links = re.findall(r"\{ref\}`(?:[^`<]*<)?([a-z0-9-]+)>?`", answer)
    assert links
    assert len(links) == answer.count("{ref}")
    assert set(links) <= labels()


def test_the_questions_are_in_groups():
    groups = re.split(r"^## .+$", PAGE, flags=re.MULTILINE)
    assert len(groups) > 8
    assert "**" not in groups[0]
    for group in groups[1:]:
        assert len(re.findall(r"^\*\*", group, re.MULTILINE)) >= 3


def test_the_forty_questions_are_answered():
    assert list(ASKED["forty"]) == [str(number) for number in range(1, 41)]
    asked = [entry["question"] for entry in ASKED["forty"].values()]
    assert set(asked) <= set(ANSWERS)
    assert len(set(asked)) == 40


def test_all_topics_are_answered():
    assert len(ASKED["topics"]) == 59
    for topic, questions in ASKED["topics"].items():
        assert questions, topic
        assert set(questions) <= set(ANSWERS), topic
    assert set(ASKED["runners_up"].values()) <= set(ANSWERS)
    assert len(ASKED["runners_up"]) == 12
