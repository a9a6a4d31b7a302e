"""Figures to look at: how the data grows, and how the values of a field are spread."""
