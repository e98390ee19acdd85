from mdmt_tf.serving.web import page
