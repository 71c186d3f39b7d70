"""The kinds of URL that a source may have: a list of ours, whatever the libraries below know. Pure.

fsspec alone would take `file:`, `memory:`, `github:`, and a chain such as `simplecache::ftp://…`: ways to
read what nobody meant to be read.
"""

import re
from urllib.parse import urlsplit

BY_HTTP = ("http", "https")
PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"),
    "sftp": "paramiko",
}
"""What has to be installed for a kind of URL, and what each of them adds."""
KINDS = "http, https, s3, gs, az and sftp"
_CHAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::|.*::[A-Za-z][A-Za-z0-9+.-]*://", re.DOTALL)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://[^\s\\\x00-\x1f\x7f]+")


def fault_of_url(url: str) -> str:
    """What is wrong with it, without any of its words; "" for a URL that can be tried."""
    if _is_chain(url):
        return f"one URL is expected, and no chain of them with :: ({KINDS})"
    found = _URL.fullmatch(url)
    if found is None:
        return f"not a URL that can be read: a blank, a control character or a backslash in it ({KINDS})"
    if found[1].lower() not in (*BY_HTTP, *PACKAGES):
        return f"its URL is of a kind that is not known; it may be {KINDS}, or name a file by its path"
    if found[1].lower() in BY_HTTP and not _has_host(url):
        return f"not a URL that can be read: no host, or none that can be ({KINDS})"
    return ""


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # of brackets that do not close, or a port that is none
        return False


def _is_chain(url: str) -> bool:
    """What fsspec would take for one; http never goes there, and may have an address such as [::1]."""
    return "::" in url if kind_of(url) not in BY_HTTP else _CHAIN.match(url.partition("?")[0]) is not None


def kind_of(url: str) -> str:
    return url.partition("://")[0].lower()


def name_of(url: str) -> str:
    """The last part of its path: what it may be called in a message."""
    path = re.sub(r"[?#].*", "", url).partition("://")[2].partition("/")[2]
    name = path.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w .%+()-]", "_", name)[-80:].strip(". ") or "download"
