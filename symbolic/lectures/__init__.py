"""The mathematics of single lectures: slopes, second derivatives, descent, gates, plane maps, exact regression."""
