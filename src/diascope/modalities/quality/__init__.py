"""What can be wrong with the values of an image, asked by several modalities."""
