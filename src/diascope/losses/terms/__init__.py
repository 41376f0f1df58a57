"""Parts that several losses are made of; not plug-ins."""
