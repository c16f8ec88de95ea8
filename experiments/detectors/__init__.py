"""Which detector finds the glitch tokens of a model for how many queries? All of them on one ground truth.

The ground truth is the census of the same model: a finished one below results_dir (or `exp.census`), else it is taken
first. One query is one token through one prompt, so a verdict costs as many queries as the census has tasks that count
for this model; every detector gets `exp.budget_share` of what asking every token would cost. A detector that runs
tokens through the model for anything else (entropy, activations) pays for that too; passes that no such budget covers
are counted beyond it and enter `queries_fraction`. The answer a verdict is read from has logits too: what active_census
reads there (how close the token came to being said), and glitchprober's activations of the tokens it asked about, cost
no further query. Detectors never see training counts; where these are known, they are a second ground truth.

Precision, recall and F1 are those of the tokens a detector reports. Most report only tokens whose verdict they bought,
and cannot recall more than `recall_ceiling_at_10pct`; rule_random, glitchprober and active_census also report tokens
they did not ask.

Metrics, per detector: precision, recall, f1, roc_auc (of its scores, bought verdicts included), queries_fraction (all
queries and passes over the price of the whole census), budget_fraction (those within the budget), recall_at_10pct
(of what it would report once a tenth of that price is spent), asked_recall_at_10pct (of tokens found by asking alone),
recall_auc (area under the latter against queries up to the budget, over that of a detector that asks glitch tokens
only), tokens_processed, predicted; each a mean over seeds with ci_low and ci_high (Student t, kept within 0 and 1).
`<detector>/exposures_le_<n>/...`: the same against "shown n times or less".
`indicator/<name>/...`: weight indicators by themselves; precision and recall of their lowest 2 %.

Arrays (arrays.safetensors):

| name                           | axes       | meaning                                                            |
|--------------------------------|------------|--------------------------------------------------------------------|
| ids, glitch                    | token      | tokens with a verdict, int64; 1 glitch token, 0 not, int8          |
| exposures                      | token      | int64, only where training counts are known                        |
| grid                           | point      | int64, queries                                                     |
| ideal                          | point      | recall of a detector that asks glitch tokens only                  |
| <detector>/recall_curve        | seed point | share of glitch tokens whose verdict was bought                    |
| <detector>/predicted           | seed token | int8, 1 reported                                                   |
| <detector>/scores              | seed token | float32, higher for glitch tokens                                  |
| <detector>/progress/spent      | seed step  | int64, queries before each report it would have made; -1 none      |
| <detector>/progress/f1         | seed step  | F1 of that report                                                  |
| fpr                            | rate       | false-positive rates of the ROC curves                             |
| <detector>/roc/<truth>         | rate       | true-positive rate, mean over seeds; truth: census, exposures_le_n |
| indicator/<name>/roc/<truth>   | rate       |                                                                    |

Details: truth {source, tasks, tokens_per_query, calibration}, detectors [name], skipped {name: reason}, indicators
[name], unused {rule, ids}, budget, price, by_exposures [{low, high, n, glitch, mean}].
"""
