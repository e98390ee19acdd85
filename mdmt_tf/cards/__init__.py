"""Model cards: what a model is, what it was made of, how good it is, and its limits.

`facts` gathers what is known of a run, `model_card.json`; `content` turns it into
sections, whose headings are those of Mitchell et al. 2019, "Model cards for model
reporting"; `markdown` writes them as `model_card.md`. The page is that of
`mdmt_tf.reporting.model_card`. Nothing is claimed that no file shows: what is unknown
is "not stated". No card names an image, a patient or a folder of the computer.
"""
