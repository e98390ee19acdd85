"""What a terminal shows: its width, one line of progress, tables, times, commands.

No TensorFlow, and `rich` is imported only where a table is printed.
"""
