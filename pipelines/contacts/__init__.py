"""What a record says of a lead: mapping, values, merging. Pure."""
