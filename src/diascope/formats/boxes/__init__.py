"""Files that hold boxes: Pascal VOC (read), COCO JSON (read and written), DICOM SR (written).

Each is brought to the one convention of `core/boxes.py`: voxels counted at their faces, half-open.
"""
