"""Releases read series: kept warm, asked, and answered with objects that refer to that series and no other."""
