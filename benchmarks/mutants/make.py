"""The mutants of one module: ``build/mutation/bin/python benchmarks/mutants/make.py FILE SEED COUNT``.

Runs in the environment of ``requirements.txt`` beside this file, which has mutmut. Writes a line of
JSON per mutant, in a random order that stays the same where the code does: what was changed, in
which function and lines, and the whole text of the mutated module.

The changes are mutmut's. Other than mutmut, which switches between functions while a program runs,
this takes the text of the module: so decorated functions and properties are mutated too, the
defaults of a dataclass, and numbers that are constants of the module.
"""

import ast
import difflib
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def mutants(source: str, seed: int, count: int) -> list[dict[str, Any]]:
    """So many of the mutants of a module; the first has "of", how many there are."""
    import libcst as cst
    from libcst.metadata import MetadataWrapper, ParentNodeProvider, PositionProvider
    from mutmut.mutation.file_mutation import MutationVisitor, OuterFunctionProvider
    from mutmut.mutation.mutators import mutation_operators
    from mutmut.mutation.pragma_handling import IgnoredCode

    class Visitor(MutationVisitor):
        METADATA_DEPENDENCIES = (PositionProvider, OuterFunctionProvider, ParentNodeProvider)

        def _skip_node_and_children(self, node: Any) -> bool:
            if isinstance(node, cst.FunctionDef) and node.decorators:
                return False
            return super()._skip_node_and_children(node)

    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    module = wrapper.visit(visitor)
    parents = wrapper.resolve(ParentNodeProvider)
    places = wrapper.resolve(PositionProvider)

    def above(node: Any) -> list[Any]:
        """The node, what holds it, and so on up to the module."""
        found = [node]
        while found[-1] in parents:
            found.append(parents[found[-1]])
        return found

    def counts(mutation: Any) -> bool:
        chain = above(mutation.original_node)
        kinds = {type(node) for node in chain}
        if isinstance(mutation.original_node, cst.BaseString) and cst.Raise in kinds:
            return False  # the words of an error message
        if cst.FunctionDef in kinds or cst.ClassDef in kinds:
            return not (cst.Decorator in kinds or chain[0] is chain[-1])
        return isinstance(mutation.original_node, (cst.Integer, cst.Float))  # a constant

    def where(chain: list[Any]) -> str:
        functions = [node for node in chain if isinstance(node, (cst.FunctionDef, cst.ClassDef))]
        return ".".join(node.name.value for node in reversed(functions)) or "(module)"

    def drawn(mutation: Any) -> str:
        """A random number that stays the same as long as this piece of code does."""
        chain = above(mutation.original_node)
        pieces = [module.code_for_node(n) for n in (chain[0], mutation.mutated_node, *chain[1:4])]
        return hashlib.sha256("\0".join([str(seed), where(chain), *pieces]).encode()).hexdigest()

    found = [mutation for mutation in visitor.mutations if counts(mutation)]
    before, seen, made = ast.dump(ast.parse(source)), set(), []
    for mutation in sorted(found, key=drawn):
        if len(made) == count:
            break
        chain = above(mutation.original_node)
        statement = chain[-2]  # of the module
        changed = statement.visit(Replace(mutation.original_node, mutation.mutated_node))
        body = [changed if part is statement else part for part in module.body]
        text = module.with_changes(body=body).code
        tree = ast.dump(ast.parse(text))
        if tree == before or tree in seen:
            continue
        seen.add(tree)
        functions = [node for node in chain if isinstance(node, (cst.FunctionDef, cst.ClassDef))]
        default = any(isinstance(node, cst.Param) for node in chain)
        lines = covering(chain, functions if default else [], places, cst)
        made.append(
            {
                "function": where(chain),
                "line": places[mutation.original_node].start.line
                if mutation.original_node in places
                else lines[0],
                "lines": lines,
                "change": change(source, text),
                "text": text,
            }
        )
    if made:
        made[0]["of"] = len(found)
    return made


def covering(chain: list[Any], functions: list[Any], places: Any, cst: Any) -> list[int]:
    """First and last line that a test must run to meet the mutant; none for what import runs."""
    if functions:  # the default of an argument: whatever calls the function
        return [places[functions[0]].start.line, places[functions[0]].end.line]
    if not any(isinstance(node, cst.FunctionDef) for node in chain):
        return [0, 0]
    previous = chain[0]
    for node in chain:
        if isinstance(node, cst.BaseSmallStatement):
            return [places[node].start.line, places[node].end.line]
        if isinstance(node, cst.BaseCompoundStatement):  # its head: if ..., for ...
            head = places[previous] if previous in places else places[node]
            return [places[node].start.line, max(head.end.line, places[node].start.line)]
        previous = node
    return [0, 0]


def Replace(old: Any, new: Any) -> Any:
    """What puts one node in the place of another."""
    from mutmut.mutation.file_mutation import ChildReplacementTransformer

    return ChildReplacementTransformer(old, new)


def change(source: str, text: str) -> list[str]:
    """The lines that differ: what is gone with "- ", what is new with "+ "."""
    lines = difflib.ndiff(source.splitlines(), text.splitlines())
    return [line[:2] + line[2:].strip() for line in lines if line[:2] in ("- ", "+ ")]


if __name__ == "__main__":
    path, seed, count = sys.argv[1:]
    for mutant in mutants(Path(path).read_text(encoding="utf-8"), int(seed), int(count)):
        print(json.dumps(mutant))
