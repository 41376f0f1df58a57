"""Reports: records and figures to one self-contained HTML file that opens offline.

`html.render_report` and `html.render_check` make the pages, `charts.draw` one figure, `pictures.slice_picture` one
slice. Nothing here knows a task: it draws what the records of `core` hold, in English and in Simplified Chinese.
"""
