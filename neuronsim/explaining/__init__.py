"""A step put into words: formulas with their numbers, as text, LaTeX, HTML and exercises."""
