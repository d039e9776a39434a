"""docs/install.md: the messages that it quotes are messages of the function, and its commands name files that exist."""

import re
import unittest

from loading import ROOT


class Install(unittest.TestCase):
    def setUp(self):
        self.page = (ROOT / "docs/install.md").read_text()

    def test_quoted_messages_are_in_the_code(self):
        rows = [line for line in self.page.splitlines() if line.startswith("|")]
        quoted = {text for row in rows for text in re.findall(r'"([^"]+)"', row)}
        self.assertGreaterEqual(len(quoted), 4)
        sources = (ROOT / "function/src").rglob("*.rs")
        # A backslash at the end of a line joins a text of Rust with the next line.
        code = "\n".join(re.sub(r"\\\n\s*", "", path.read_text()) for path in sources)
        for text in quoted:
            self.assertIn(text, code)

    def test_files_of_commands_exist(self):
        blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```$", self.page, re.MULTILINE | re.DOTALL))
        files = set(re.findall(r"\b(?:examples|scripts|docs)/[\w./-]+", blocks))
        self.assertGreaterEqual(len(files), 3)
        for file in files:
            self.assertTrue((ROOT / file).exists(), file)


if __name__ == "__main__":
    unittest.main()
