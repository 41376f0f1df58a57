"""What lies beside the pictures of a study: laboratory results, and texts with what releases marked in them."""
