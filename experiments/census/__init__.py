"""Which tokens does the model fail on? Every token through repetition, spelling and length, spliced in by its id.

A task counts only where the model passes it on at least 0.9 of the tokens it knows well; a token is a glitch token if
it fails a task that counts. Prompts and their sources: `harness/tokens/prompts/templates.py`; when an answer is right:
`harness/glitch/census/matching.py`; symptoms and types: `symptoms.py`, `token_types.py` beside it. Special tokens are
not asked; a row of the embedding without a token of the tokenizer is asked for repetition, by its id.

Arrays (arrays.safetensors), all over the tokens tested, in order of id:

| name              | axes  | meaning                                                      |
|-------------------|-------|--------------------------------------------------------------|
| ids               | token | int64                                                        |
| glitch            | token | int8: 1 fails, 0 passes, -1 no verdict                       |
| <task>/passed     | token | int8: 1, 0, -1 not asked or no right answer for this token   |
| exposures         | token | int64, only where training counts are known                  |

Details (details.json): rule_version, questions {task: {version, source, text, chat, bos, max_new_tokens}}, informative
[task], calibration {task: {passed, n, where, informative, sentence, examples}}, is_complete, tokens_per_query,
n_special, n_without_token, by_exposures [{low, high, planted, n, glitch}], sample (what was tested).
"""
