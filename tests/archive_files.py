"""Small archives, kind and hostile, and a web server on this machine that misbehaves on request."""

import contextlib
import http.server
import io
import tarfile
import threading
import time
import zipfile


def zip_bytes(members, links=()):
    """A ZIP of {name: bytes}; names in `links` are stored as symbolic links."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if name in links else 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


def tar_bytes(members, kinds=()):
    """A compressed TAR of {name: bytes}; `kinds` maps names to another type, such as tarfile.SYMTYPE."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type = dict(kinds).get(name, tarfile.REGTYPE)
            info.linkname = "/etc/passwd" if info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            info.size = len(data) if info.type == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Server:
    """What a served file does. `log`: (path, Range header) of each request.

    cut: after how many bytes each of the next answers breaks off (a list that is used up; None: not at all).
    """

    def __init__(self, content, cut=(), status=200, kind="application/zip", ranges=True, sleep_s=0.0, sized=True):
        self.content, self.cut, self.status, self.kind = content, list(cut), status, kind
        self.ranges, self.sleep_s, self.sized, self.log = ranges, sleep_s, sized, []


@contextlib.contextmanager
def serving(server):
    """Serve on 127.0.0.1 in a thread; yields the link."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            server.log.append((self.path, asked))
            time.sleep(server.sleep_s)
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
            if server.status == 200 and start and start >= len(server.content):
                self.send_error(416)
                return
            self.send_response(206 if start else server.status)
            body = server.content[start:]
            self.send_header("Content-Type", server.kind)
            self.send_header("ETag", '"one"')
            if server.sized:
                self.send_header("Content-Length", str(len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
            self.end_headers()
            cut = server.cut.pop(0) if server.cut else None
            with contextlib.suppress(OSError):
                self.wfile.write(body[:cut])

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}/data.zip"
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
