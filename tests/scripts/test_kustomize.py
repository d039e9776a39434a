"""examples/kustomize: kubectl renders it, and it grants what the commented files grant."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from loading import ROOT

EXAMPLES = ROOT / "examples"


def render(folder):
    """The objects as kubectl prints them: sorted, without comments."""
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.split("---\n"))


def rendered_file(path):
    """A file of manifests in the same form."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, folder)
        kinds = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        (pathlib.Path(folder) / "kustomization.yaml").write_text(f"{kinds}resources: [{path.name}]\n")
        return render(folder)


@unittest.skipUnless(shutil.which("kubectl"), "kubectl is not installed")
class Kustomize(unittest.TestCase):
    def test_the_cluster_has_the_rights_of_rbac_yaml(self):
        objects = render(EXAMPLES / "kustomize/cluster")
        self.assertEqual(len(objects), 2)
        self.assertEqual(objects, rendered_file(EXAMPLES / "rbac.yaml"))

    def test_the_example_has_the_rights_of_rbac_namespaced_yaml(self):
        objects = render(EXAMPLES / "kustomize/example")
        self.assertEqual(len(objects), 4)
        self.assertEqual(objects, rendered_file(EXAMPLES / "rbac-namespaced.yaml"))


if __name__ == "__main__":
    unittest.main()
