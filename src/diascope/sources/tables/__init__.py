"""What sources share about tables: reading a CSV, which column means what, targets and covariates from columns."""
