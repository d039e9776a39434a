"""scripts/release: which tags it takes, the notes, and the template that deploys a released zip."""

import io
import pathlib
import tempfile
import unittest
import zipfile

from loading import ROOT, script

release = script("release")

MANIFEST = '[package]\nversion.workspace = true\n\n[workspace.package]\nversion = "1.2.0"\n'
CHANGELOG = """\
# Changelog

## Unreleased

- Later.

## 1.2.0 (2027-01-31)

### Added

- A thing.

## 1.1.0

## 1.0.0

- First.
"""


class Release(unittest.TestCase):
    def test_tags(self):
        release.check("v1.2.0", MANIFEST, CHANGELOG)
        table = [
            ("1.2.0", MANIFEST, "is not the tag of a release"),
            ("v1.2", MANIFEST, "is not the tag of a release"),
            ("v1.2.0; id", MANIFEST, "is not the tag of a release"),
            ("v1.2.1", MANIFEST, "but the version in Cargo.toml is 1.2.0"),
            ("v1.2.0", "[workspace]\n", "but the version in Cargo.toml is not found"),
            ("v1.3.0", MANIFEST.replace("1.2.0", "1.3.0"), "has no section `## 1.3.0`"),
            ("v1.1.0", MANIFEST.replace("1.2.0", "1.1.0"), "the section 1.1.0 of CHANGELOG.md is empty"),
        ]
        for tag, manifest, message in table:
            with self.subTest(tag), self.assertRaises(release.Failure) as raised:
                release.check(tag, manifest, CHANGELOG)
            self.assertIn(message, str(raised.exception))

    def test_notes_are_one_section(self):
        self.assertEqual(release.notes("1.2.0", CHANGELOG), "### Added\n\n- A thing.\n")
        self.assertEqual(release.notes("1.0.0", CHANGELOG), "- First.\n")

    def test_the_check_reads_the_version_of_this_workspace(self):
        version = release.re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), release.re.MULTILINE)[1]
        release.check(f"v{version}", (ROOT / "Cargo.toml").read_text(), f"# Changelog\n\n## {version}\n\n- A thing.\n")

    def test_the_released_template_takes_a_zip_and_builds_nothing(self):
        source = (ROOT / "template.yaml").read_text()
        made = release.released(source)
        for text in ("  CodeBucket:\n", "  CodeKey:\n", "CodeUri: {Bucket: !Ref CodeBucket, Key: !Ref CodeKey}"):
            self.assertIn(text, made)
            self.assertNotIn(text, source)
        for text in ("BuildMethod", "BuildProperties", "CodeUri: .\n", "sam build"):
            self.assertNotIn(text, made)
        # Nothing else differs.
        kept = [line for line in source.splitlines() if line in made.splitlines()]
        self.assertGreaterEqual(len(kept), len(source.splitlines()) - 10)
        with self.assertRaisesRegex(release.Failure, "0 times and not once"):
            release.released(source.replace("CodeUri: .", "CodeUri: ./other"))

    def test_equal_programs_make_equal_zips(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = pathlib.Path(folder) / "a.zip", pathlib.Path(folder) / "b.zip"
            release.pack(b"program", first)
            release.pack(b"program", second)
            self.assertEqual(first.read_bytes(), second.read_bytes())
            [entry] = zipfile.ZipFile(io.BytesIO(first.read_bytes())).infolist()
            # Lambda runs this file, so everybody must be allowed to execute it.
            self.assertEqual((entry.filename, entry.external_attr >> 16), ("bootstrap", 0o100755))


if __name__ == "__main__":
    unittest.main()
