"""DICOMweb (PS3.18): storing, searching, retrieving. What it says in HTTP is `serve/http/routes/dicomweb.py`."""
