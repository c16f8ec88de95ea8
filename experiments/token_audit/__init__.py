"""What kind of token is every id: a byte, special, part of a character, out of reach of any text, or ordinary?

Found by decoding each id (spaces left alone) and encoding its text again; no model is run. With `tokenizer.name=` that
tokenizer is audited by itself; otherwise the model's own is, and rows of the embedding without a token are told apart.

records.jsonl: a line per id, {item, id, category, text, raw, byte, byte_type, encodes_to, looks_special}; `text` as
decoded (U+FFFD for what does not decode), `raw` with such bytes as escapes.

Arrays (arrays.safetensors):

| name     | axes    | meaning                                                                                  |
|----------|---------|------------------------------------------------------------------------------------------|
| category | d_vocab | int64, position of the id's category in details["categories"]                            |
| byte     | d_vocab | int64, the byte that the id stands for, -1 for every other kind                          |

Details: {categories: [str], tokenizer: str, n_rows: int | None}   n_rows: rows of the model's embedding, if any
"""
