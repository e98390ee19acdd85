"""Pages of HTML: one look, one file each, nothing loaded from the network.

A page is a Jinja2 template that extends `base.html` and lies next to the code that
fills it; its name is its path in the package:

    from mdmt_tf.pages import render

    text = render("reporting/model_card.html", title="Model card", card=card)

    {# mdmt_tf/reporting/model_card.html #}
    {% extends "base.html" %}
    {% import "parts.html" as parts %}
    {% block content %}
    {% call parts.section("data", "Data") %}
      {{ parts.table("counts", "Images by split", ["split", "images"],
                     [["train", 120], ["test", 40]]) }}
      {{ parts.plot(drawing) }}
      {% call parts.folded("All tests") %}<p>...</p>{% endcall %}
    {% endcall %}
    {% endblock %}

`base.html` takes `title`, and if given `marks` (warnings above everything), `lead` (the
sentences that a reader must not miss), `intro` (paragraphs), `status` with
`is_complete`, and `links` ((id, text) of the sections). Its blocks: `head` (more
styles, in a `<style>`), `policy` (the content security policy), `content`, `scripts`.

`parts.html` has the macros `section`, `table`, `plot`, `picture`, `folded`, `notice`,
`sentences`, `facts`, `command` and `report_table` (a `reporting.table_files.Table`,
with its lead, sections, notes and files); each states what it takes.

All values are escaped, but in templates whose name ends in `.md` or `.txt`. A name that
is not given is an error. HTML that another template has made is a `markupsafe.Markup`.
The folder of a template needs a line in `package_data` of setup.cfg.

Colours are the CSS variables of `page.css`, light and dark; take them, so that both can
be read. Plots follow them through `reporting.drawing`.
"""

from mdmt_tf.pages.environment import render

__all__ = ["render"]
