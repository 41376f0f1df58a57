"""Parts of the formats that read signals; not plug-ins."""
