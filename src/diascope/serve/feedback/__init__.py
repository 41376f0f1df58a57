"""From what readers answered to label changes, and to a folder that can be learnt from."""
