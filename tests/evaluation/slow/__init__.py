"""An independent script for every benchmark: files read by hand, scores by double loops, averages written out."""
