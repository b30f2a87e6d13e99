"""The wiring as data: neurons, edges, names, edits; and the plan of what is computed when."""
