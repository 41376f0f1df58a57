"""What features of texture share: neighbours, and sums over tables of grey level and size."""
