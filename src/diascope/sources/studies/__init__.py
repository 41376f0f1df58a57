"""What the DICOM source knows about studies: which series is read, which SEG belongs to it, which row describes it."""
