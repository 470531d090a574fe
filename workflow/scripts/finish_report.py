"""Let a report of Snakemake show its large pages in every browser.

The report hands a page to the browser as the address of a frame. Chrome and Edge open no address of more than 2 MB, so that a page of
surfaces stays blank there (Firefox allows 32 MB). A few lines of script, put into the report, make a file in the browser's memory of
such an address first. Nothing else of the report changes; run twice, it changes nothing.
"""

import argparse
from pathlib import Path

from command_line import run
from densecell import files

LARGEST_ADDRESS = 2_000_000  # characters; Chromium: 2 * 1024 * 1024
END = "</head>"
SCRIPT = f"""<script id="densecell-large-pages">
new MutationObserver(() => {{
  for (const frame of document.querySelectorAll('iframe[src^="data:"]')) {{
    const address = frame.getAttribute("src");
    if (address.length < {LARGEST_ADDRESS}) continue;
    frame.setAttribute("src", "about:blank");
    fetch(address).then(answer => answer.blob()).then(page => {{ frame.src = URL.createObjectURL(page); }});
  }}
}}).observe(document.documentElement, {{childList: true, subtree: true, attributes: true, attributeFilter: ["src"]}});
</script>"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="report.html, as snakemake --report wrote it")
    path = parser.parse_args(argv).report
    text = path.read_text(encoding="utf-8")
    if SCRIPT in text:
        return
    before, end, after = text.partition(END)
    if not end:
        raise ValueError(f"{path}: expected a page of HTML with {END}, as snakemake --report writes it. Make it again.")
    files.replace_text(path, f"{before}{SCRIPT}\n{end}{after}")


if __name__ == "__main__":
    run(main)
