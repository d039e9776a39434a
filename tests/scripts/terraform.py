"""examples/terraform: the files parse, and they use parameters and outputs that the released template has.

Needs the parser in scripts/tools/hcl2.txt, so scripts/test runs this file only with --peers.
"""

import re
import unittest

import hcl2
from loading import ROOT, script

FOLDER = ROOT / "examples/terraform"
FILES = sorted(FOLDER.glob("*.tf"))


def plain(name):
    """The parser keeps the quotes of labels and texts."""
    return name.strip('"')


def blocks(kind):
    """The blocks of a kind in all files, by their labels."""
    found = {}
    for path in FILES:
        with open(path) as file:
            for block in hcl2.load(file).get(kind, []):
                labels = []
                while len(block) == 1 and isinstance(next(iter(block.values())), dict):
                    [(label, block)] = block.items()
                    labels.append(plain(label))
                found[".".join(labels)] = block
    return found


def section(template, name):
    """The names in a section of the template."""
    [text] = re.findall(rf"^{name}:\n((?:(?:  .*|#.*)?\n)*)", template, re.MULTILINE)
    return set(re.findall(r"^  ([A-Za-z0-9]+):$", text, re.MULTILINE))


class Terraform(unittest.TestCase):
    def setUp(self):
        self.template = script("release").released((ROOT / "template.yaml").read_text())
        self.text = "".join(path.read_text() for path in FILES)

    def test_the_files_parse(self):
        self.assertEqual([path.name for path in FILES], ["main.tf", "outputs.tf", "variables.tf", "versions.tf"])
        stack = blocks("resource")["aws_cloudformation_stack.this"]
        self.assertIn("CAPABILITY_AUTO_EXPAND", str(stack["capabilities"]))
        self.assertGreater(len(blocks("variable")), 8)

    def test_each_parameter_is_one_of_the_template(self):
        parameters = section(self.template, "Parameters")
        self.assertIn("CodeKey", parameters)
        given = str(blocks("resource")["aws_cloudformation_stack.this"]["parameters"])
        names = set(re.findall(r"\b([A-Z][A-Za-z0-9]+)\"? *[=:]", given))
        self.assertGreater(len(names), 10, given)
        self.assertLessEqual(names, parameters, names - parameters)

    def test_each_output_is_one_of_the_template(self):
        names = {
            name for output in blocks("output").values() for name in re.findall(r'outputs\[\\?"(\w+)\\?"\]', str(output["value"]))
        }
        self.assertEqual(names, section(self.template, "Outputs"))

    def test_each_variable_is_used_and_declared(self):
        self.assertEqual(set(blocks("variable")), set(re.findall(r"\bvar\.(\w+)", self.text)))


if __name__ == "__main__":
    unittest.main()
