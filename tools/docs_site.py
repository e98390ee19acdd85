"""Hooks of the documentation's site, which `mkdocs.yml` names.

    python -m mkdocs build --strict

The pages are written for a repository browser, too: links lead to files of the
repository. Here they lead to pages of the site, or become plain text where the site has
none (a source file). Pages outside `docs/` are taken in, mathematics becomes MathML, a
notebook becomes a page, and a finished site that would load anything from elsewhere is
an error.
"""

import html
import json
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Pattern in the repository -> place in the site; {} is what the * stands for.
OUTSIDE = {
    "datasets/*/README.md": "datasets/{}.md",
    "mdmt_tf/imaging/lungs/MODEL_CARD.md": "model_cards/lungs.md",
    "mdmt_tf/models/weights/phantoms/MODEL_CARD.md": "model_cards/phantoms.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
CONFIGURATIONS = "reference/configurations.md"
# The theme loads this script from a server; the site has a copy.
_SHIM = ("https://unpkg.com/iframe-worker/shim", "site/iframe-worker.js")
_LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s]+)\)")
_ITEM = re.compile(r"( *)([-*]|\d+\.) +")
_FENCE = re.compile(r" *(```+|~~~+)")
# What a browser would load by itself, from another machine.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'> ]+"
    r"|<link\b[^>]*\bhref=[\"']?(?:https?:)?//[^\"'> ]+"
    r"|(?:@import|url\()\s*[\"']?(?:https?:)?//[^\"')]+",
    re.IGNORECASE,
)


def on_config(config):
    """Fences of mathematics, and the anchors of a repository browser."""
    fences = config.mdx_configs.setdefault("pymdownx.superfences", {})
    fences["custom_fences"] = [{"name": "math", "class": "math", "format": math_block}]
    config.mdx_configs.setdefault("toc", {})["slugify"] = anchor_of
    return config


def on_files(files, config):
    """Take in pages from outside `docs/`, the configurations and the notebooks."""
    from mkdocs.structure.files import File

    for source, place in outside_pages().items():
        path = str(ROOT / source)
        files.append(File.generated(config, place, abs_src_path=path))
    files.append(
        File.generated(config, CONFIGURATIONS, content=configurations_page(ROOT))
    )
    for file in list(files):
        if file.src_uri.endswith(".ipynb"):
            content = notebook_page(Path(file.abs_src_path).read_text(encoding="utf-8"))
            files.remove(file)
            place = file.src_uri.removesuffix(".ipynb") + ".md"
            files.append(File.generated(config, place, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """The text of a page as Python-Markdown needs it, with links within the site."""
    places = {file.src_uri for file in files}
    source = source_of(page.file.src_uri)
    return nested_by_four(with_links(markdown, source, places))


def on_post_page(output, page, config):
    """The page with the site's own copy of a script, and a name for the search."""
    from mkdocs.utils import get_relative_url

    address, copy = _SHIM
    output = output.replace(address, get_relative_url(copy, page.url))
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def on_post_template(output_content, template_name, config):
    """The page for what is not found, which may be shown in any folder."""
    address, copy = _SHIM
    return output_content.replace(address, f"/{copy}")


def on_post_build(config):
    """Fail if a page or style sheet would load something from the network."""
    from mkdocs.exceptions import PluginError

    found = sorted(loaded_from_elsewhere(Path(config.site_dir)))
    if found:
        raise PluginError("the site is not self-contained:\n" + "\n".join(found))


def outside_pages() -> dict[str, str]:
    """Path in the repository -> place in the site, of the pages outside `docs/`."""
    return {
        path.relative_to(ROOT).as_posix(): place.format(path.parent.name)
        for pattern, place in OUTSIDE.items()
        for path in sorted(ROOT.glob(pattern))
    }


def source_of(place: str) -> str:
    """The path in the repository of a page of the site."""
    for source, other in outside_pages().items():
        if place == other:
            return source
    return f"docs/{place}"


def place_of(source: str) -> str | None:
    """The place in the site of a path in the repository, if it could have one."""
    if source == "configs" or source.startswith("configs/"):
        return CONFIGURATIONS
    if source.startswith("docs/"):
        return re.sub(r"\.ipynb$", ".md", source.removeprefix("docs/"))
    return outside_pages().get(source)


def with_links(markdown: str, source: str, places: set[str]) -> str:
    """The text of a page with links to pages of the site.

    Args:
        markdown: the text, with links relative to the file `source`.
        source: path of the page in the repository.
        places: all files of the site.
    Returns: the text; a link to a file that the site does not have is its words alone.
        A link that leads nowhere stays, so that a strict build names it.
    """
    here = os.path.dirname(place_of(source) or "")

    def changed(found: re.Match) -> str:
        target, _, anchor = found[3].partition("#")
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        path = os.path.normpath(os.path.join(os.path.dirname(source), target))
        place = place_of(path)
        if place in places:
            link = os.path.relpath(place, here or ".") + (anchor and f"#{anchor}")
            return f"{found[1]}[{found[2]}]({link})"
        return found[2] if (ROOT / path).exists() else found[0]

    return outside_fences(markdown, lambda text: _LINK.sub(changed, text))


def outside_fences(markdown: str, change) -> str:
    """Apply `change` to the stretches of a text that are no fenced code."""
    parts, fence = [[]], ""
    for line in markdown.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if not fence and mark:
            parts.append([line])
            fence = mark[1]
        elif fence and mark and line.strip() == fence:
            parts[-1].append(line)
            parts.append([])
            fence = ""
        else:
            parts[-1].append(line)
    return "".join(
        "".join(lines) if number % 2 else change("".join(lines))
        for number, lines in enumerate(parts)
    )


def nested_by_four(markdown: str) -> str:
    """Lists as Python-Markdown reads them: what is inside an item, by four spaces.

    In a repository browser, the width of the mark ("- ", "1. ") is enough. There, an
    item needs no empty line before it, after a paragraph or a nested one.
    """
    lines, width, fence, loose = [], 0, "", False
    for line in markdown.splitlines():
        blank = len(line) - len(line.lstrip(" "))
        before = lines[-1] if lines else ""
        item = _ITEM.match(line)
        mark = _FENCE.match(line)
        if mark and (not fence or line.strip() == fence):
            fence = "" if fence else mark[1]
        elif item and not fence and (not blank or width):
            if before.strip() and (not width or (loose and not blank)):
                lines.append("")
            if not blank:
                width, loose = len(item[2]) + 1, False
        elif line.strip() and not before.strip() and not fence:
            loose = bool(blank)
            width = width if blank else 0
        if width and blank and line.strip():
            deeper = round(blank / width) if not fence or mark else 1
            line = " " * (4 * deeper) + line[min(blank, deeper * width) :]
        lines.append(line)
    return "\n".join(lines) + "\n"


def anchor_of(heading: str, separator: str) -> str:
    """The anchor that a repository browser gives to a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", separator)


def math_block(source, language, css_class, options, md, **_):
    """A fence of mathematics as MathML, which browsers draw without any script."""
    from latex2mathml.converter import convert

    return f'<div class="math">{convert(source, display="block")}</div>'


def configurations_page(root: Path) -> str:
    """All configurations that come with the package, as they are."""
    blocks = [
        "# Configurations that come with the package",
        "`--config NAME` takes them. `python -m mdmt_tf.config copy NAME my.yaml` "
        "makes a copy to change.",
    ]
    for path in sorted((root / "configs").glob("*.yaml")):
        text = path.read_text(encoding="utf-8").strip()
        blocks += [f"## {path.stem}", f"```yaml\n{text}\n```"]
    return "\n\n".join(blocks) + "\n"


def notebook_page(text: str) -> str:
    """A notebook as a page: its texts, its code, and what it has put out."""
    blocks = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(source)
            continue
        blocks.append(f"```python\n{source}\n```")
        alt = cell["metadata"].get("alt", "")
        blocks += [_output(output, alt) for output in cell["outputs"]]
    return "\n\n".join(blocks) + "\n"


def _output(output: dict, alt: str) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join("".join(data["image/png"]).split())
        alt = html.escape(alt, quote=True)
        shown = f'<img alt="{alt}" src="data:image/png;base64,{picture}">'
    elif "text/html" in data:
        shown = re.sub(r"<style.*?</style>", "", "".join(data["text/html"]), flags=re.S)
        shown = "".join(line.strip() for line in shown.splitlines())
    else:
        shown = html.escape("".join(output.get("text", data.get("text/plain", ""))))
        shown = f"<pre><code>{shown.rstrip()}</code></pre>"
    return f'<div class="output">{shown}</div>'


def loaded_from_elsewhere(site: Path):
    """Yield `file: address` for what a page or style sheet would load."""
    for path in sorted(site.rglob("*")):
        if path.suffix in (".html", ".css"):
            for found in _LOADED.findall(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(site)}: {found}"
