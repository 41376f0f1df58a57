"""How signals are told and listed: samples in columns of a table (`running`), recordings in files (`recordings`)."""
