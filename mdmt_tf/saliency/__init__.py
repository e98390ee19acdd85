"""Where in an image or a volume the score of each task comes from.

`maps` has the methods, `sanity` the test of whether their maps depend on the weights,
`lesions` how much of a map lies in a region, `overlays` pictures, `files` all of it for
some samples. `choice` has the images to explain, `explanation` explains a run,
`summary` prints what was found.
"""
