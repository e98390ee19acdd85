"""Saliency maps: where in an image or a volume the score of each task comes from.

`maps` has the methods, `sanity` tests whether their maps depend on the weights,
`lesions` measures how much of a map lies in a region, `overlays` draws pictures, and
`files` writes all of this for some samples. `choice` selects the images to explain,
`explanation` explains a run, and `summary` prints the results.
"""
