import subprocess
import sys

from mdmt_tf.imaging import memory_files


def test_another_process_reads_it():
    with memory_files.open_memory_file() as file:
        file.write(b"abc")
        path = memory_files.path_of(file)
        code = f"print(open({str(path)!r}).read())"
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )
        assert result.stdout == "abc\n"
    assert not path.exists()


def test_a_kernel_without_them_has_a_deleted_file(monkeypatch):
    def none(name):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(memory_files.os, "memfd_create", none)
    with memory_files.open_scratch() as file:
        file.write(b"abc")
        file.seek(0)
        assert file.read() == b"abc"
