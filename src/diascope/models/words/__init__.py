"""Parts of the models that see a text as a bag of words; not plug-ins."""
