"""What makes a glitch token.

`indicators` read it off the weights, `census` tests every token, `graph` looks at the embedding's neighbourhoods, and
`detectors` find glitch tokens within a budget of queries.
"""
