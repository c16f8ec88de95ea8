"""How many of a data set's tokens are glitch tokens of this model, in how many documents, and which ones?

Read as a stream, so that its size does not matter: text, JSON, JSONL, parquet, a folder of these, or a data set of the
hub. What a document is and where its text stands: `documents/reading.py`, `documents/layouts.py`. Encoded with the
model's own tokenizer, no special token added. The glitch tokens come from a census of the very same weights, or are
named in `exp.tokens`. The whole data set is read through once before anything is counted; what cannot be read is
refused with its line.

The share of tokens is over all tokens, its interval clusters them by document; the share of documents has Wilson's.

records.jsonl: a line per glitch token that occurs, most frequent first: {item, id, token, tokens, documents,
per_million, first_in}; `tokens` how often it occurs, `documents` in how many, `first_in` where it was first met.

Arrays (arrays.safetensors), over the glitch tokens, in order of id:

| name      | axes  | meaning                                |
|-----------|-------|----------------------------------------|
| ids       | token | int64                                  |
| tokens    | token | int64, how often it occurs             |
| documents | token | int64, in how many documents it occurs |

Details: data {name, format, layouts {layout: documents}, fingerprint, is_whole}, glitch_tokens {source, census}.
"""
