"""Results on their way out: objects for the PACS, HL7 and FHIR messages."""
