"""Parts that augmentations share, and recipes: lists of augmentations that are drawn and applied together."""
