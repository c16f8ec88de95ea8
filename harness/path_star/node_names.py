"""What a reader calls the nodes of an answer."""


def node_names(path_length: int, is_reversed: bool = False) -> tuple[str, ...]:
    """Names of the answer's nodes in the order in which they are written.

    From the start: `start`, `first step`, `step 2`, ..., `goal`; `is_reversed` writes them from the goal.
    """
    steps = ["first step", *(f"step {number}" for number in range(2, path_length - 1))][: path_length - 2]
    names = ("start", *steps, "goal")
    return names[::-1] if is_reversed else names
