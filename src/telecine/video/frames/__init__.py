"""Single frames: colours, depth, histograms for statistics, PNG."""
