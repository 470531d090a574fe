"""A hash of the code a job runs: its script and every module of this project it imports, transitively.

Only the syntax counts: comments, docstrings and layout do not. A network's module counts only for jobs that name it, so
adding or editing one network leaves the others' results alone.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

TABLE = "NETWORKS"


def _strip_docstrings(tree):
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:]
    return tree


def _is_table(node):
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == TABLE for t in node.targets)


@cache
def _parse(path):
    """(syntax dump without the table of networks, imported module names, the table or None) of one file."""
    tree = _strip_docstrings(ast.parse(path.read_text(), filename=str(path)))
    tables = [ast.literal_eval(node.value) for node in tree.body if _is_table(node) and path.name == "__init__.py"]
    if tables:
        tree.body = [node for node in tree.body if not _is_table(node)]
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module)
            imported.update(f"{node.module}.{alias.name}" for alias in node.names)
    return ast.dump(tree), sorted(imported), tables[0] if tables else None


def _file(module, root):
    """The project's file of a module name, or None for a package from elsewhere."""
    path = root.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _modules(path, root, networks, seen):
    if path in seen:
        return
    dump, imported, table = _parse(path)
    seen[path] = dump
    if table is not None:
        for name in networks:
            if name in table:
                imported = [*imported, f"densecell.networks.{table[name][0]}"]
                seen[path] += repr((name, table[name]))
    for module in imported:
        file = _file(module, root)
        if file:
            _modules(file, root, networks, seen)


def files_of(script, root, networks=()):
    """The files a script's hash covers, relative to `root`, sorted."""
    seen = {}
    _modules(Path(root) / f"{script}.py", Path(root), networks, seen)
    return sorted(p.relative_to(root).as_posix() for p in seen)


def code_hash(script, root, networks=()):
    """Hash (16 hexadecimal digits) of the script called `script` in the folder `root` and all it imports there."""
    seen = {}
    _modules(Path(root) / f"{script}.py", Path(root), networks, seen)
    text = "\n".join(f"{p.relative_to(root).as_posix()}\n{dump}" for p, dump in sorted(seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
