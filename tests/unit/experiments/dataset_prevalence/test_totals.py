"""What is kept of the documents counted so far comes back from its shard, however large the sums."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from experiments.dataset_prevalence.measure import Totals
from harness.measure.intervals import ClusterSums
from harness.runs.folder import RunFolder, Shard, ShardStore


def test_totals_come_back_from_their_shard(tmp_path: Path) -> None:
    totals = Totals(2, 7, 3, ClusterSums(*(2**70 + i for i in range(len(fields(ClusterSums))))))
    totals.tokens[:] = 5, 6
    shards = ShardStore(RunFolder(tmp_path))
    shards.write("totals", totals.arrays(), totals.numbers())
    assert not [name for name, array in totals.arrays().items() if array.dtype == np.uint8]
    again = Totals.read(shards.read("totals"), 2)
    assert (again.n_read, again.with_glitch, again.sums) == (7, 3, totals.sums)
    assert again.tokens.tolist() == [5, 6]


def test_a_shard_of_an_older_form_is_counted_again() -> None:
    older = {"numbers": np.frombuffer(b"7,3,1,2,3,4,5,6", dtype=np.uint8), "tokens": np.ones(2, np.int64)}
    assert Totals.read(Shard(older, {}), 2).n_read == 0
