"""How a survey is taken: what is measured (`measuring`), of which files (`reading`), over processes (`parallel`)."""
