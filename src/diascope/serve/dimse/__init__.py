"""DICOM's own network protocol: the node that receives and answers, and the sender that asks others."""
