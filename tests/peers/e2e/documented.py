"""Commands of docs/install.md, as a reader runs them."""

import base64
import json
import os
import re
import subprocess
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parts import World

HEADING = "Clusters outside EKS"


def commands(section: str) -> list[str]:
    """The blocks of shell commands below a heading of docs/install.md."""
    from parts import ROOT

    page = (ROOT / "docs/install.md").read_text()
    [text] = re.findall(rf"^## {section}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)]


def outside_eks(world: "World") -> str:
    """The documented account, token and kubeconfig let the function read a cluster, and change nothing in it."""
    from cases import as_before, expected
    from parts import ROOT

    wanted = expected(world)
    account, kubeconfig, layer = commands(HEADING)
    assert "publish-layer-version" in layer, "the last step makes a layer"
    folder = world.folder / "outside"
    folder.mkdir()
    (folder / "examples").symlink_to(ROOT / "examples")
    admin = str(world.folder / "apiserver/admin.kubeconfig")

    def run(script: str) -> None:
        environment = {**os.environ, "KUBECONFIG": admin, "SERVER": world.issuer}
        done = subprocess.run(["bash", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stderr}\nin:\n{script}"

    run(account)
    # This API server has no controller that fills the Secret.
    token = world.kubectl("create", "token", "target-allocator", "-n", "monitoring", "--duration", "1h").strip()
    authority = (world.folder / "apiserver/apiserver.crt").read_text()
    data = {"token": token, "ca.crt": authority}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in data.items()}
    patch = json.dumps({"data": encoded})
    world.kubectl("patch", "secret", "target-allocator", "-n", "monitoring", "--type", "merge", "-p", patch)
    run(kubeconfig)

    file = folder / "layer/kubeconfig"
    assert file.stat().st_mode & 0o004, "the function runs as another user, so everybody must be able to read the file"
    probe = ["kubectl", "--kubeconfig", str(file), "auth", "can-i"]
    for question, answer in (("list pods -A", "yes"), ("list secrets -A", "no"), ("delete pods -A", "no")):
        found = subprocess.run([*probe, *question.split()], capture_output=True, text=True).stdout.strip()
        assert found == answer, f"can-i {question}: {found}"
    try:
        world.stop("function")
        world.start_function(CLUSTER=f"kubeconfig:{file}")
        assert expected(world) == wanted, "the function finds other targets with the documented account"
    finally:
        as_before(world, wanted)
    return f"{len(wanted)} targets with the documented kubeconfig"
