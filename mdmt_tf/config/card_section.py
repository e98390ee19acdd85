"""What the model card of a run says beyond what its files know."""

from typing import Annotated

import pydantic
from pydantic import Field

from mdmt_tf.config.section import Section

Text = Annotated[str, Field(min_length=1)]


def _as_list(value):
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[Text, ...], pydantic.BeforeValidator(_as_list)]


class CardSection(Section):
    """Statements of the authors for the model card; what is left out is not stated."""

    intended_use: Text | None = Field(
        None, description="What the model is for, and who may use it."
    )
    out_of_scope: Texts = Field((), description="Uses that the model is not for.")
    labels: Texts = Field(
        (),
        description="How the labels were made: by whom, when, by which definition.",
    )
    limits: Texts = Field(
        (), description="Limits that the data do not show, such as a selection."
    )
    ethics: Text | None = Field(
        None, description="Approval, consent, and harms that were considered."
    )
    funding: Text | None = Field(None, description="Who paid for the work.")
    licence: Text | None = Field(
        None, description="Licence under which the weights are given away."
    )
    contact: Text | None = Field(
        None, description="Where to ask; it is public with the model."
    )
