"""Path-star graphs: a task that is easy to state and hard to learn from next tokens (arXiv 2403.06963).

`recipe` says what is trained, `ways` how it answers, `training` trains, `answering` prompts the trained model.
"""
