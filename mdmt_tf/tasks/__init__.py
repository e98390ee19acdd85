"""What can be predicted: one file a kind of task."""

from mdmt_tf.tasks.base import Kind, Task, label_is_known

__all__ = ["Kind", "Task", "label_is_known"]
