"""Speed measured as ratios within one run, and results checked against the plain way: `make bench`."""
