"""How signals are told and listed: samples in the columns of a table (`running`), recordings in files (`recordings`)."""
