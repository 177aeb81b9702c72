"""From files of pictures to arrays of one shape: found, decoded once, kept, brought to a size."""
