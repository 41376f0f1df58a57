"""What made pictures are judged by: feature spaces, a classifier of the training part, figures."""
