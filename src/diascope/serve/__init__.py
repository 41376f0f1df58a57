"""The service: what arrives from the hospital's systems, is read by releases, and goes back where doctors look."""
