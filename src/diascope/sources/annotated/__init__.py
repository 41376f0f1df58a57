"""What sources of texts with marked spans have in common: their files, and how a listing is made of them."""
