"""How many glitch tokens does GlitchHunter find, at what price? Clusters of the embedding graph, tested by samples.

The tokens' input embeddings become a graph of nearest neighbours, its communities are tested by asking a sample of
each to be repeated, kept communities become the next graph, and what is left when nothing changes is asked whole.
Every parameter, its default and its source: `glitch/detectors/glitchhunter/settings.py`. A verdict is the model's own
answer, asked for when it is needed; with `exp.from_census=true` it is read from a census and charged as if it had
been asked for. Where a census of the model is there, the tokens found are compared with it.

Arrays (arrays.safetensors), over the tokens hunted among, in order of id:

| name           | axes       | meaning                                                                          |
|----------------|------------|----------------------------------------------------------------------------------|
| ids            | token      | int64                                                                            |
| xy             | token axis | float32, coordinates of the picture (nothing is measured in them)                |
| community      | token      | int64, community in the first graph, numbered by falling size                    |
| is_kept        | token      | int8, whether that community was kept; -1 where nothing was tested               |
| last_iteration | token      | int64, the last graph the token was part of                                      |
| asked_at       | token      | int64, place in the order of asking, from 0; -1 where it was never asked         |
| verdict        | token      | int8: 1 fails, 0 passes, -1 never asked                                          |
| census         | token      | int8: 1 glitch token, 0 not, -1 no verdict; only where there is a census         |

Details: iterations [{number, n_tokens, k, resolution, n_edges, n_communities, n_kept, n_tokens_kept, n_queries, n_hits,
quality, modularity}], rest {n_asked, n_hits}, plan {n, hits_needed, kept_at_base_rate, kept_at_cluster_rate}, tasks,
calibration {task: sentence}, census (run id or null), census_tasks, projection, tokens {id: shown text of those found}.
"""
