"""Texts without what changes from one run to the next: folders, times, the commit."""

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST_LEFT_OUT = ("started", "ended", "git", "python", "packages")
"""Times, the commit, and facts of the machine."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00|Z)?")
_REPORT_FACT = re.compile(r"<dt>(started|ended|code|python|packages|seconds)</dt><dd>.*?</dd>")
_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")
_LONG_SCRIPT = re.compile(r"(<script[^>]*>)(.{2000,}?)(</script>)", re.DOTALL)
# A line that transformers writes where a file system keeps coarse times, or does not.
_CHATTER = re.compile(r"^\[transformers\] mtime may not be reliable.*\n", re.MULTILINE)


class Placeholders:
    """Names for the folders of this machine, the longest path first."""

    def __init__(self, work: Path, checkout: Path, shared: Path | None) -> None:
        named = {
            work: "<work>",
            checkout: "<checkout>",
            Path(sys.prefix): "<python>",
            Path(sys.base_prefix): "<python>",
        }
        if shared is not None:
            named[shared] = "<shared>"
        spelt = {str(path): name for known, name in named.items() for path in (known, known.resolve())}
        self._spelt = sorted(spelt.items(), key=lambda item: -len(item[0]))

    def text(self, text: str) -> str:
        """`text` with every known folder under its name."""
        for path, name in self._spelt:
            text = text.replace(path, name)
        return text

    def said(self, text: str) -> str:
        """What a command printed, without folders and times."""
        return _CHATTER.sub("", _TIME.sub("<time>", self.text(text)))

    def report(self, page: str) -> str:
        """A report without times, commit and versions; pictures and long scripts as their hashes."""
        page = _PICTURE.sub(lambda found: f"<picture {_short_hash(found[0])}>", page)
        page = _LONG_SCRIPT.sub(lambda found: f"{found[1]}<script {_short_hash(self.text(found[2]))}>{found[3]}", page)
        return self.text(_REPORT_FACT.sub("", page))

    def manifest(self, text: str) -> str:
        """A manifest without times, commit and the facts of the machine."""
        values = json.loads(text)
        return self.text(as_json({key: value for key, value in values.items() if key not in MANIFEST_LEFT_OUT}))


def as_json(value: Mapping[str, Any] | list[Any]) -> str:
    """JSON as it is stored in a snapshot."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
