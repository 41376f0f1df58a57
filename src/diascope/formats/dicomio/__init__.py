"""Shared parts of the DICOM formats: headers, the decoder child process, slice stacking, segments."""
