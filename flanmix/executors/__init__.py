"""Who builds the shards: one module for each kind of place."""
