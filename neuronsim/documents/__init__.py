"""Documents of headed tables with marked names and numbers: text, HTML, LaTeX, and worksheets."""
