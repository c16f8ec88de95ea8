"""Documents of a data set, one after the other, however large it is."""
