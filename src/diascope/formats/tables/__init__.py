"""Lines of cells, as sources and formats see them: encoding, delimiter, header, and one cell by its place."""
