"""Neighbours, graph and communities of a vocabulary's embedding, against scanpy's on the same principal components.

    python benchmarks/token_graph.py [--peer PYTHON] [--sizes 8000 16000 50257] [--peer-size 50257]

PYTHON is an interpreter that has scanpy, igraph and leidenalg; it is no dependency of ours, so it may live in an
environment of its own (python -m venv DIR && DIR/bin/pip install scanpy igraph leidenalg "scipy<1.16"
"scikit-learn<1.7" "pynndescent<0.6": scanpy 1.11 fails on newer ones). Without it only our own
figures are taken. Every stage runs in a process of its own; seconds of the wall clock and of the processor stand side
by side, because other work on the machine lengthens the first and not the second. scanpy's just-in-time compilation is
done before its clock starts. Data: 768 numbers a row in 400 clusters of uneven size in 60 directions, which overlap so
much that the graph's modularity is about that of a trained organism's embedding (0.65); nothing is asserted.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

K = 50
COMPONENTS = 50
RESOLUTION = 1.0
RECALL_ROWS = 1000

PEER = r"""
import json, os, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, anndata, scanpy as sc
from importlib.metadata import version
folder, k, resolution = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
rows = np.load(folder + "/components.npy")
packages = ("scanpy", "umap-learn", "pynndescent", "igraph", "leidenalg")
figures = {"load_average": os.getloadavg()[0], "versions": {name: version(name) for name in packages}}
def clocked(name, work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    figures[name] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
def neighbours(data):
    sc.pp.neighbors(data, n_neighbors=k, use_rep="X", random_state=0)
# Enough rows for scanpy to search approximately, as it will below.
neighbours(anndata.AnnData(rows[:9000]))
data = anndata.AnnData(rows)
clocked("neighbours", lambda: neighbours(data))
for flavor, iterations, directed in (("igraph", 2, False), ("leidenalg", 2, False)):
    clocked("leiden_" + flavor, lambda: sc.tl.leiden(data, resolution=resolution, flavor=flavor, directed=directed,
            n_iterations=iterations, random_state=0, key_added=flavor))
    np.save(folder + "/" + flavor + ".npy", data.obs[flavor].astype(int).to_numpy())
graph = data.obsp["distances"].tocsr()
ids = np.full((len(rows), k), -1)
for row in range(len(rows)):
    span = slice(graph.indptr[row], graph.indptr[row + 1])
    found = graph.indices[span][np.argsort(graph.data[span], kind="stable")]
    found = found[found != row][:k]
    ids[row, :len(found)] = found
np.save(folder + "/ids.npy", ids)
upper = data.obsp["connectivities"].tocoo()
kept = upper.row < upper.col
np.savez(folder + "/graph.npz", sources=upper.row[kept], targets=upper.col[kept], weights=upper.data[kept])
import resource
figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
json.dump(figures, open(folder + "/peer.json", "w"))
"""


def embedding(n: int, spread: float = 1.6) -> np.ndarray:
    """Rows like an embedding's: uneven, overlapping clusters in few directions, and noise in all."""
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(60, 768)) / np.sqrt(60)
    centres = rng.normal(size=(400, 60)) * np.linspace(2.0, 0.3, 60)
    sizes = rng.dirichlet(np.full(400, 0.7))
    latent = centres[rng.choice(400, n, p=sizes)] + spread * rng.normal(size=(n, 60))
    noise = rng.standard_normal(size=(n, 768), dtype=np.float32)
    return (latent @ directions).astype(np.float32) + np.float32(0.05) * noise


def clocked(figures: dict[str, Any], name: str, work: Callable[[], Any]) -> Any:
    """Do `work` and note its seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    figures[name] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return found


def ours(folder: Path, n: int, with_leidenalg: bool) -> None:
    """All stages on `n` rows; figures, neighbours and communities go to `folder`."""
    # scanpy has imported both before its clock starts.
    import igraph  # noqa: F401
    import leidenalg  # noqa: F401

    from harness.glitch.graph.choices import LeidenLibrary
    from harness.glitch.graph.communities import find_communities
    from harness.glitch.graph.neighbours import nearest_neighbours
    from harness.glitch.graph.space import principal_components
    from harness.glitch.graph.weights import fuzzy_graph

    figures: dict[str, Any] = {"n": n, "load_average": os.getloadavg()[0]}
    rows = embedding(n)
    figures["rss_mb_before"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    components = clocked(figures, "principal_components", lambda: principal_components(rows, COMPONENTS))
    neighbours = clocked(figures, "neighbours", lambda: nearest_neighbours(components, K))
    graph = clocked(figures, "weights", lambda: fuzzy_graph(neighbours))
    figures["edges"] = graph.n_edges
    libraries = list(LeidenLibrary) if with_leidenalg else [LeidenLibrary.IGRAPH]
    for library in libraries:
        name = f"leiden_{library.value}"
        found = clocked(figures, name, lambda library=library: find_communities(graph, RESOLUTION, 0, library))
        figures[name] |= {"communities": found.n_communities, "modularity": found.modularity}
    figures["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    np.save(folder / "components.npy", components)
    np.save(folder / "our_ids.npy", neighbours.ids)
    np.savez(folder / "our_graph.npz", sources=graph.sources, targets=graph.targets, weights=graph.weights)
    (folder / "ours.json").write_text(json.dumps(figures))


def recall(components: np.ndarray, ids: np.ndarray) -> float:
    """Share of the true neighbours, in double precision, that are among `ids`; over a sample of rows."""
    points = components.astype(np.float64)
    chosen = np.random.default_rng(1).choice(len(points), min(RECALL_ROWS, len(points)), replace=False)
    hits = 0
    for row in chosen:
        squared = ((points - points[row]) ** 2).sum(axis=1)
        squared[row] = np.inf
        hits += len(set(np.argpartition(squared, K)[:K].tolist()) & set(ids[row].tolist()))
    return hits / (K * len(chosen))


def against_peer(folder: Path, peer: str) -> dict[str, Any]:
    """scanpy on our components: its figures, recall, and all communities judged on both graphs."""
    from harness.glitch.graph.communities import modularity
    from harness.glitch.graph.weights import TokenGraph

    subprocess.run([peer, "-c", PEER, str(folder), str(K), str(RESOLUTION)], check=True)
    figures: dict[str, Any] = json.loads((folder / "peer.json").read_text())
    components = np.load(folder / "components.npy")
    figures["recall"] = recall(components, np.load(folder / "ids.npy"))
    graphs = {}
    for name, path in (("our_graph", "our_graph.npz"), ("scanpy_graph", "graph.npz")):
        arrays = np.load(folder / path)
        sources, targets = arrays["sources"].astype(np.int64), arrays["targets"].astype(np.int64)
        graphs[name] = TokenGraph(len(components), sources, targets, arrays["weights"].astype(np.float64))
    for flavor in ("igraph", "leidenalg"):
        labels = np.load(folder / f"{flavor}.npy").astype(np.int64)
        figures[f"leiden_{flavor}"]["communities"] = int(labels.max()) + 1
        for name, graph in graphs.items():
            figures[f"leiden_{flavor}"][f"modularity_on_{name}"] = modularity(graph, labels)
    return figures


def compare(own: dict[str, Any], peer: dict[str, Any]) -> dict[str, float]:
    """Seconds of scanpy over ours, for neighbours with weights, communities, and both."""
    ratios = {}
    for clock in ("wall", "cpu"):
        neighbours = own["neighbours"][clock] + own["weights"][clock]
        communities = own["leiden_igraph"][clock]
        ratios[f"neighbours_{clock}"] = peer["neighbours"][clock] / neighbours
        for flavor in ("igraph", "leidenalg"):
            theirs = peer["neighbours"][clock] + peer[f"leiden_{flavor}"][clock]
            ratios[f"whole_against_{flavor}_{clock}"] = theirs / (neighbours + communities)
    for flavor in ("igraph", "leidenalg"):
        theirs = peer[f"leiden_{flavor}"]["modularity_on_our_graph"]
        ratios[f"modularity_ours_over_{flavor}_on_our_graph"] = own["leiden_igraph"]["modularity"] / theirs
    return ratios


def in_a_process(folder: Path, n: int, with_leidenalg: bool) -> dict[str, Any]:
    """`ours` in a process of its own, so that its peak memory is its own."""
    words = [sys.executable, __file__, "--one", str(folder), str(n), str(int(with_leidenalg))]
    subprocess.run(words, check=True)
    return dict(json.loads((folder / "ours.json").read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[8_000, 16_000, 32_000, 64_000, 128_000, 256_000])
    parser.add_argument("--peer", help="an interpreter that has scanpy")
    parser.add_argument("--peer-size", type=int, default=50_257)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        folder, n, with_leidenalg = arguments.one
        ours(Path(folder), int(n), bool(int(with_leidenalg)))
        return
    from reporting import write_result

    figures: dict[str, Any] = {"k": K, "components": COMPONENTS, "resolution": RESOLUTION, "unit": "seconds, MB"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.peer:
            own = in_a_process(folder, arguments.peer_size, with_leidenalg=True)
            own["recall"] = recall(np.load(folder / "components.npy"), np.load(folder / "our_ids.npy"))
            peer = against_peer(folder, arguments.peer)
            figures |= {"ours": own, "scanpy": peer, "scanpy_over_ours": compare(own, peer)}
        write_result("token_graph", figures)
        figures["by_size"] = []
        for n in arguments.sizes:
            figures["by_size"].append(in_a_process(folder, n, with_leidenalg=False))
            # After every size: the largest take minutes.
            write_result("token_graph", figures)


if __name__ == "__main__":
    main()
