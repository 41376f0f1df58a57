"""Parts that the networks of `models/` are made of; not plug-ins."""
