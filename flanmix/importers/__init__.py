"""Templates of other collections, read into flanmix's own values."""
