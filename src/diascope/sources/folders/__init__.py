"""What sources share about folders: which files are images, and which names mean train, validation and test."""
