"""Licences of the packages that this one needs."""

import importlib.metadata as metadata
import types

import pytest
import third_party


@pytest.fixture
def packages(monkeypatch):
    """A function that installs made-up packages: name -> (licence, requirements)."""

    def install(**given):
        made = {}
        for name, (licence, requires) in given.items():
            about = {"License": licence, "Provides-Extra": ["fast"], "Classifier": []}
            about = types.SimpleNamespace(
                get=about.get, get_all=lambda key, about=about: about.get(key)
            )
            made[name] = types.SimpleNamespace(
                metadata=about, requires=requires, files=()
            )

        def distribution(name):
            if name not in made:
                raise metadata.PackageNotFoundError(name)
            return made[name]

        monkeypatch.setattr(third_party.metadata, "distribution", distribution)

    return install


def test_what_is_needed_is_found_with_its_extras(packages):
    packages(
        mdmt_tf=("Apache-2.0", ["a>=1", "b[fast]; extra == 'fast'", "absent"]),
        a=("MIT", ["c; python_version < '3'", "mdmt-tf"]),
        b=("BSD", ["c", "d; extra == 'fast'", "e; extra == 'slow'"]),
        c=("MIT", []),
        d=("MIT", ["b"]),
        e=("MIT", []),
        f=("nobody needs it", []),
    )
    assert third_party.needed("mdmt_tf") == {
        "a": {"mdmt_tf"},
        "b": {"mdmt_tf", "d"},
        "c": {"b"},
        "d": {"b"},
    }


@pytest.mark.parametrize(
    ("licence", "status", "said"),
    [
        ("BSD-3-Clause AND (MIT OR Zlib)", 0, ""),
        ("Mozilla Public License 2.0 (MPL 2.0)", 0, ""),
        ("", 1, "error: a: states no licence"),
        ("Ask our lawyers", 1, "error: a: 'Ask our lawyers' is not one of the"),
        ("MIT OR GPL-3.0-only", 1, "error: a: 'MIT OR GPL-3.0-only' is not one"),
        ("CC BY-NC, non-commercial", 1, "is not one of the allowed ones"),
    ],
)
def test_a_licence_that_is_not_allowed_fails(packages, capsys, licence, status, said):
    packages(mdmt_tf=("Apache-2.0", ["a", "b"]), a=(licence, []), b=("MIT", []))
    assert third_party.main([]) == status
    printed = capsys.readouterr()
    assert said in printed.err and bool(printed.err) == bool(status)
    assert "2 packages" in printed.out


def test_a_package_without_metadata_has_a_file(tmp_path):
    folder = tmp_path / "x-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: x\nVersion: 1\n")
    (folder / "LICENSE").write_text("Copyright\n\n  Licensed under the\nMIT License\n")
    (folder / "RECORD").write_text("x-1.dist-info/LICENSE,,\n")
    licence = third_party.licence_of(metadata.PathDistribution(folder))
    assert third_party.kinds_of(licence) == ["MIT"]
