"""A folder with a patched tokenizer in it, for transformers to load."""

import json
from pathlib import Path
from typing import Any

from harness.files import write_whole
from harness.models.tokenizers import Tokenizer
from harness.tokens.removal.removal import Removal

# Where tokenizer_config.json repeats what is added to the tokenizer, which would be added again.
_BY_ID = "added_tokens_decoder"
_BY_NAME = ("additional_special_tokens", "extra_special_tokens")


def write_patched(tokenizer: Tokenizer, removal: Removal, folder: Path) -> None:
    """Write the files of `tokenizer`, of which `removal` was made, with the patched tokenizer.json in place of its own.

    No older files with the same vocabulary (vocab.json, merges.txt) are written. Raises `RunFailed` where the disk
    refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder)
    write_whole(folder / "tokenizer.json", removal.definition.encode())
    path = folder / "tokenizer_config.json"
    if removal.left_added and path.is_file():
        names = {tokenizer.token_name(i) for i in removal.left_added}
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kept = {i: token for i, token in settings.get(_BY_ID, {}).items() if int(i) not in removal.left_added}
        settings |= {_BY_ID: kept} if _BY_ID in settings else {}
        for key in _BY_NAME:
            if isinstance(settings.get(key), list):
                settings[key] = [name for name in settings[key] if name not in names]
        write_whole(path, (json.dumps(settings, indent=2, ensure_ascii=False) + "\n").encode())
