"""Is this model fit to be released, as far as its tokens go? Every token with the reasons to look at it, in one list.

Three looks at the vocabulary: what kind every id is (`harness/tokens/vocabulary_audit.py`), what the weights say and
the verification of what they say (`exp=undertrained`), and the census (`exp=census`). The last two are runs of their
own below the same results_dir, resumed and reused like any other; `details["parts"]` names them.

A token is listed for a reason: `glitch` (fails a task of the census), `undertrained` (verified: the model hardly ever
says it when asked), `untrained_row` (no text can ask for it, and its weights look like those of half the verified
tokens), `unreachable` (its text encodes to something else), `no_token` (a row that no token of the tokenizer leads to).

`exp.max_glitch_rate=` makes it a gate: exit code 3 where the share of glitch tokens among the tokens tested is above
it, and where the census is uninformative, so that no share can be stated: a gate that cannot see stays shut.

`exp.compare_to=` names another revision: a model (with `exp.compare_revision=`), or the folder of a finished audit or
census. Compared are tokens of the same id and text with a verdict in both, on the tasks informative for both; the
difference of the shares (this one minus the other) has Newcombe's interval for paired proportions.

records.jsonl: a line per id: {item, id, token, category, byte_type, is_reachable, indicator, indicator_rank,
is_candidate, max_prob, verified, glitch, symptom, type, <task>/passed, exposures, reasons, before, change}.
`is_reachable`: its text encodes to it; `indicator_rank` 1 is the most suspicious row; `before`: the other revision's
verdict; `change`: became_glitch or repaired.

Arrays (arrays.safetensors), over the rows of the embedding:

| name      | axes    | meaning                                        |
|-----------|---------|------------------------------------------------|
| indicator | d_vocab | float64, the main indicator; low is suspicious |
| glitch    | d_vocab | int8: 1 fails, 0 passes, -1 no verdict         |
| before    | d_vocab | int8, the same of the other revision, if any   |

Details: parts {name: run id}, rule_version, questions {task: {version, text}}, informative [task], main_indicator,
undertrained_informative, gate {max_glitch_rate, passed, sentence}, compared {name, tasks, both, became, repaired,
neither, unmatched}.
"""
