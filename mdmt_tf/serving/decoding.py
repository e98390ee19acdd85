"""PNG and JPEG files to pixels within the graph of an exported model.

It follows `mdmt_tf.imaging.raster`: transparency lies on black, values of 16 bits are
divided by the largest one of 10, 12, 14 or 16 bits that holds them, and the orientation
of Exif data is obeyed. Damaged files are an error of TensorFlow.
"""

import tensorflow as tf

from mdmt_tf.imaging.orientation import (
    MIRRORED,
    SHORT,
    SWAPPED,
    TAG,
    UPRIGHT,
    UPSIDE_DOWN,
)


# Traced once in a process, not for every export.
@tf.function(input_signature=[tf.TensorSpec((), tf.string)], autograph=False)
def decode_grey(file: tf.Tensor) -> tf.Tensor:
    """A PNG or JPEG file as float32 (h, w, 1) in [0, 1], upright.

    Colour becomes its luminance.
    """
    is_jpeg = tf.io.is_jpeg(file)
    values = tf.cond(is_jpeg, lambda: _jpeg(file), lambda: _png(file))
    channels = tf.shape(values)[-1]
    alpha = tf.cond(
        channels % 2 == 0,
        lambda: values[..., -1:],
        lambda: tf.ones_like(values[..., :1]),
    )
    grey = tf.cond(
        channels > 2,
        lambda: tf.image.rgb_to_grayscale(values[..., :3]),
        lambda: values[..., :1],
    )
    grey = _upright(grey * alpha, orientation(file))
    return tf.ensure_shape(grey, (None, None, 1))


def _jpeg(file: tf.Tensor) -> tf.Tensor:
    # The default is fast and off by up to three grey levels.
    def decode(content):
        return tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")

    pixels = decode(file)
    data = tf.io.decode_raw(file, tf.uint8)
    end = _end_of_image(data)
    is_whole = tf.reduce_all(pixels == decode(_with_more_data(file, end)))
    is_whole &= _has_all_scans(data, end)
    text = "image: the JPEG is truncated, data are missing before its end marker"
    with tf.control_dependencies([tf.debugging.Assert(is_whole, [text])]):
        return tf.cast(pixels, tf.float32) / 255.0


# Data, and every marker that may be between data. None of them is 255 but the markers.
_MORE_DATA = b"".join(
    bytes(0xFE - (89 * number + 37 * part) % 64 for number in range(40))
    + bytes((0xFF, 0xD0 + part % 8))
    for part in range(16)
)


def _end_of_image(data: tf.Tensor) -> tf.Tensor:
    """Position of the end marker of a JPEG, or of its end without one."""
    found = _markers(data, 0xD9, _first_scan(data), _length(data))
    return tf.reduce_min(tf.concat([found, [_length(data)]], 0))


def _markers(data: tf.Tensor, marker: int, start, stop) -> tf.Tensor:
    """Positions of a marker among and behind the coded data of a JPEG.

    The data have no such bytes, as 255 is followed by 0 there.
    """
    places = tf.range(tf.maximum(_length(data) - 1, 0))
    is_one = (data[:-1] == 0xFF) & (data[1:] == marker)
    return tf.where(is_one & (places >= start) & (places < stop))[:, 0]


def _with_more_data(file: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """A JPEG with more data before its end marker.

    Nobody needs them where all data are there. Where some are missing, the decoder
    takes what it finds instead, and grey where it finds nothing.
    """
    zero = tf.zeros_like(end)
    rest = tf.strings.length(file) - tf.cast(end, tf.int32)
    return (
        tf.strings.substr(file, zero, end)
        + _MORE_DATA
        + tf.strings.substr(file, end, tf.cast(rest, end.dtype))
    )


def _has_all_scans(data: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
    """Whether a JPEG is not progressive, or has all bits of its first component.

    As `imaging.raster_files`: cut between two scans, it is an image with few details.
    """
    frame = _first_segment(data, 0xFFC2)
    scans = _markers(data, 0xDA, frame, end)

    def byte(offset):
        return _number(data, scans + offset, 1)

    count = byte(4)
    first = _number(data, frame + 10, 1)
    named = [(byte(5 + 2 * place) == first) & (place < count) for place in range(4)]
    start, stop, bits = (byte(5 + 2 * count + place) for place in range(3))
    is_last = tf.reduce_any(named, axis=0) & (bits % 16 == 0)
    coefficients = tf.range(64, dtype=tf.int64)[:, tf.newaxis]
    is_there = is_last & (coefficients >= start) & (coefficients <= stop)
    return (frame < 0) | tf.reduce_all(tf.reduce_any(is_there, axis=1))


def _first_scan(data: tf.Tensor) -> tf.Tensor:
    """Position of the coded data of the first scan of a JPEG; -1 without one."""

    found = _first_segment(data, 0xFFDA)
    return tf.where(found < 0, found, _next_segment(data, found))


def _first_segment(data: tf.Tensor, wanted: int) -> tf.Tensor:
    """Position of the first segment of a JPEG with a marker; -1 without one."""

    def goes_on(position, found):
        marker = _number(data, position, 2)
        is_before = (marker >= 0xFF01) & (position + 4 <= _length(data))
        return (found < 0) & is_before

    def step(position, found):
        marker = _number(data, position, 2)
        # After the first scan there are no segments one behind the other.
        last = tf.where(marker == 0xFFDA, _length(data), _next_segment(data, position))
        return last, tf.where(marker == wanted, position, found)

    return _search(goes_on, step, start=2)


def _next_segment(data: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """Position after a segment of a JPEG; a byte 255 before a marker is a filling."""
    size = 2 + _number(data, position + 2, 2)
    is_filling = _number(data, position, 2) == 0xFFFF
    return position + tf.where(is_filling, tf.ones_like(size), size)


def _png(file: tf.Tensor) -> tf.Tensor:
    values = tf.cast(tf.io.decode_png(file, dtype=tf.uint16), tf.float32)
    # Byte 24 is the bit depth. The decoder scales images of fewer than 16 bits to 16.
    is_16_bit = tf.strings.substr(file, 24, 1) == b"\x10"
    largest = tf.reduce_max(values)
    white = tf.constant(65535.0)
    for bits in (14, 12, 10):
        fits = tf.logical_and(is_16_bit, largest < 2.0**bits)
        white = tf.where(fits, 2.0**bits - 1.0, white)
    return values / white


def orientation(file: tf.Tensor) -> tf.Tensor:
    """The orientation that the Exif data of a PNG or JPEG file state, int64 scalar.

    1 (upright) if there are none. Damaged Exif data count as none.
    """
    data = tf.io.decode_raw(file, tf.uint8)
    found = tf.cond(
        tf.io.is_jpeg(file), lambda: _exif_of_jpeg(data), lambda: _exif_of_png(data)
    )
    return tf.cond(
        found >= 0,
        lambda: _orientation_at(data, found),
        lambda: tf.constant(UPRIGHT, tf.int64),
    )


def _exif_of_jpeg(data: tf.Tensor) -> tf.Tensor:
    """Position of the byte order in a segment APP1 of Exif data; -1 without one."""

    def goes_on(position, found):
        marker = _number(data, position, 2)
        is_before_scan = (marker >= 0xFF01) & (marker != 0xFFDA) & (marker != 0xFFD9)
        return (found < 0) & is_before_scan & (position + 4 <= _length(data))

    def step(position, found):
        marker = _number(data, position, 2)
        is_exif = (marker == 0xFFE1) & _has(data, position + 4, b"Exif\0\0")
        found = tf.where(is_exif, position + 10, found)
        return _next_segment(data, position), found

    return _search(goes_on, step, start=2)


def _exif_of_png(data: tf.Tensor) -> tf.Tensor:
    """Position of the byte order in the chunk eXIf; -1 without one.

    The chunks are only read one after another where its name is somewhere in the file.
    """

    def goes_on(position, found):
        return (found < 0) & (position + 12 <= _length(data))

    def step(position, found):
        found = tf.where(_has(data, position + 4, b"eXIf"), position + 8, found)
        return position + 12 + _number(data, position, 4), found

    named = tf.reduce_any(
        (data[:-3] == ord("e"))
        & (data[1:-2] == ord("X"))
        & (data[2:-1] == ord("I"))
        & (data[3:] == ord("f"))
    )
    none = tf.constant(-1, tf.int64)
    return tf.cond(named, lambda: _search(goes_on, step, start=8), lambda: none)


def _search(goes_on, step, start: int) -> tf.Tensor:
    begin = (tf.constant(start, tf.int64), tf.constant(-1, tf.int64))
    return tf.while_loop(goes_on, step, begin)[1]


def _orientation_at(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """The orientation in Exif data whose byte order is at `start`."""
    is_little = _has(data, start, b"II")

    def read(position, count):
        return tf.where(
            is_little,
            _number(data, position, count, little=True),
            _number(data, position, count),
        )

    page = start + read(start + 4, 4)
    entries = page + 2 + 12 * tf.range(read(page, 2), dtype=tf.int64)
    is_it = (read(entries, 2) == TAG) & (read(entries + 2, 2) == SHORT)
    # Of none, the largest is that of int64's range.
    first = tf.reduce_min(tf.where(is_it, entries, _length(data)))
    value = read(first + 8, 2)
    is_known = (is_little | _has(data, start, b"MM")) & (value >= 1) & (value <= 8)
    return tf.where(is_known & tf.reduce_any(is_it), value, UPRIGHT)


def _length(data: tf.Tensor) -> tf.Tensor:
    return tf.size(data, out_type=tf.int64)


# A function in the graph, as it is called in dozens of places.
@tf.function(autograph=False)
def _number(data, position, count: int, little: bool = False) -> tf.Tensor:
    """Unsigned numbers of `count` bytes at positions; beyond the end, 0."""
    places = tf.expand_dims(position, -1) + tf.range(count, dtype=tf.int64)
    is_there = (places >= 0) & (places < _length(data))
    values = tf.gather(data, tf.where(is_there, places, 0))
    values = tf.where(is_there, tf.cast(values, tf.int64), 0)
    shifts = [256**place for place in range(count)]
    return tf.reduce_sum(values * (shifts if little else shifts[::-1]), axis=-1)


def _has(data, position, text: bytes) -> tf.Tensor:
    """Whether a text is at a position."""
    return _number(data, position, len(text)) == int.from_bytes(text, "big")


def _upright(pixels: tf.Tensor, stated: tf.Tensor) -> tf.Tensor:
    """Turn or mirror (h, w, c), as `imaging.orientation.upright` does."""

    def where(orientations, change, values):
        is_one = tf.reduce_any(stated == orientations)
        return tf.cond(is_one, lambda: change(values), lambda: values)

    pixels = where(SWAPPED, lambda values: tf.transpose(values, (1, 0, 2)), pixels)
    pixels = where(MIRRORED, lambda values: tf.reverse(values, [1]), pixels)
    return where(UPSIDE_DOWN, lambda values: tf.reverse(values, [0]), pixels)
