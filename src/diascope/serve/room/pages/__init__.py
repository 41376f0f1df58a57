"""One file a page; each has a `router`, and `PREFIX` where its addresses begin."""
