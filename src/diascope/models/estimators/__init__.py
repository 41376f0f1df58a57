"""Parts of the models that are fitted at once to tables; not plug-ins."""
