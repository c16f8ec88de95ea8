"""What is examined: a model, the graphs that it answers, and how they are written."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int

from experiments.path_star.config import PathStarConfig
from harness.models.loaded import LoadedModel
from harness.path_star.answering import predict_forced
from harness.path_star.codec import Codec
from harness.path_star.encoded import Rows
from harness.path_star.graphs import StarGraphs
from harness.path_star.material import encode
from harness.path_star.ways.way import Forward, Way


@dataclass(frozen=True)
class Subject:
    """A model and graphs; `rows` are the graphs with their true answers, as the model reads them."""

    exp: PathStarConfig
    graphs: StarGraphs
    rows: Rows
    codec: Codec
    model: LoadedModel

    @cached_property
    def way(self) -> Way:
        """How the model answers."""
        return self.exp.way(self.codec, self.exp.objective_settings)

    def part(self, rows: slice) -> "Subject":
        """Some of the graphs."""
        return replace(self, graphs=self.graphs[rows], rows=self.rows[rows])

    def where_it_plans(self) -> "Subject":
        """The same in the way in which the path is first written."""
        way = self.way.planning()
        if way is type(self.way):
            return self
        rows = encode(self.graphs, self.codec, way.is_reversed)
        return replace(self, exp=replace(self.exp, objective=way.name), rows=rows)

    def forced(self, forward: Forward | None = None) -> Int[np.ndarray, "row pos"]:
        """The rows with a prediction, given the truth before it, for every node; by the model, or by `forward`."""
        return predict_forced(self.way, forward or self.model.forward, self.rows)
