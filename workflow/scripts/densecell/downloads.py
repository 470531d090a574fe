"""Download one file over HTTP, going on where it stopped.

pooch 1.9 starts every download anew and shows no time left, and a 189 MB archive on a weak line needs both; so the loop is
here, on urllib, and pooch gives the hashes and the folder of the cache.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

BLOCK = 1 << 18
RETRIED = {408, 425, 429, 500, 502, 503, 504}
ENOUGH_TO_GO_ON = 1 << 16  # bytes of an attempt after which failures are counted anew


class DownloadError(OSError):
    """A file could not be fetched; the text says why. `is_offline`: no server was reached at all."""

    def __init__(self, text, is_offline=False):
        super().__init__(text)
        self.is_offline = is_offline


def download(url, path, attempts=5, timeout_s=30.0, wait_s=2.0, say=print, progress=None):
    """Fetch `url` into the file `path`; a file already there is what an earlier download got.

    attempts: failures in a row before giving up; wait_s: doubled with every failure. progress(done, total): called after
    each block with bytes, total None where the server does not tell. The file is kept on failure, so that a later call
    goes on with it. Returns the number of bytes. Raises DownloadError.
    """
    path, failures, reached = Path(path), 0, False
    while True:
        before = path.stat().st_size if path.exists() else 0
        try:
            return _attempt(url, path, timeout_s, say, progress)
        except urllib.error.HTTPError as error:
            reached = True
            if error.code == 416:  # what is here is not the beginning of what is there
                path.unlink(missing_ok=True)
            elif error.code not in RETRIED:
                raise DownloadError(f"{url}: the server answers {error.code} {error.reason}") from error
            reason = f"the server answers {error.code} {error.reason}"
        except DownloadError:
            raise
        except (OSError, http.client.HTTPException) as error:
            reached = reached or not isinstance(error, urllib.error.URLError)
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        after = path.stat().st_size if path.exists() else 0
        failures = 1 if after - before >= ENOUGH_TO_GO_ON else failures + 1
        if failures >= attempts:
            raise DownloadError(f"{url}: {reason} ({failures} attempts)", is_offline=not reached)
        say(f"{reason}; trying again in {wait_s * 2 ** (failures - 1):g} s, {after / 1e6:,.1f} MB are here")
        time.sleep(wait_s * 2 ** (failures - 1))


def _attempt(url, path, timeout_s, say, progress):
    tag_file = path.with_name(path.name + ".tag")
    offset = path.stat().st_size if path.exists() else 0
    headers = {"User-Agent": "densecell", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        tag = _read_tag(tag_file, url)
        if tag:
            headers["If-Range"] = tag  # the server sends all of it again when it has changed
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout_s) as response:
        if response.headers.get_content_type() == "text/html":
            raise DownloadError(f"{url}: the server sent a web page in place of the file")
        if not (offset and response.status == 206 and _starts_at(response, offset)):
            offset = 0
        else:
            say(f"going on at {offset / 1e6:,.1f} MB")
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length else None
        tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        tag_file.write_text(json.dumps([url, "" if tag.startswith("W/") else tag]))
        done = offset
        with path.open("ab" if offset else "wb") as sink:
            while block := response.read(BLOCK):
                sink.write(block)
                done += len(block)
                if progress:
                    progress(done, total)
    if total is not None and done < total:
        raise http.client.HTTPException(f"the connection ended at {done:,} of {total:,} bytes")
    tag_file.unlink(missing_ok=True)
    return done


def _read_tag(tag_file, url):
    try:
        known_url, tag = json.loads(tag_file.read_text())
    except (OSError, ValueError):
        return ""
    return tag if known_url == url else ""


def _starts_at(response, offset):
    return (response.headers.get("Content-Range") or "").startswith(f"bytes {offset}-")
