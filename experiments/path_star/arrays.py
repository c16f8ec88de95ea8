"""What path_star writes into arrays.safetensors."""

from harness.runs.arrays import ArraySpec

_ATTENTION = "where the model has attention patterns"
_TAKEN_OUT = "where heads are taken out"

ARRAYS = (
    ArraySpec("edge_lookup/parent", "layer head node", "float32",
              "mean attention from where a node is predicted to the parent of the edge to the node before", _ATTENTION),
    ArraySpec("edge_lookup/child", "layer head node", "float32", "the same to the child", _ATTENTION),
    ArraySpec("edge_lookup/question", "layer head end", "float32",
              "the same from the goal in the question to parent and child of the edge that ends there", _ATTENTION),
    ArraySpec("edge_lookup/uniform", "node", "float32",
              "what a head that looks everywhere equally would score on one token", _ATTENTION),
    ArraySpec("example/pattern", "head query key", "float32",
              "patterns of the top heads on the first graph", _ATTENTION),
    ArraySpec("knock_out/right", "layer head node", "float32",
              "share right at every node without one head", _TAKEN_OUT),
    ArraySpec("knock_out/intact", "node", "float32", "the same with all heads, on the same graphs", _TAKEN_OUT),
)  # fmt: skip
