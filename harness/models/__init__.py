"""A language model from its name to its logits.

`config` says which model is wanted, `identity` pins it down to its bytes (a GGUF file is converted to a folder first),
`facts` reads what its folder says of the vocabulary, `tokenizers` its tokenizer; `lazy` and `bridge` boot it with
hooks, `answers` without. Importing the package loads none of this, since configs are composed without PyTorch.
"""
