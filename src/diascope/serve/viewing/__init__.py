"""What a viewer needs of a series: frames in order, their grid, raw values, masks and drawings on that grid."""
