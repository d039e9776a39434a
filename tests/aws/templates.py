"""template.yaml as CloudFormation sees it: after SAM's transform, with values for its parameters and conditions."""

import functools
import json
import re
import subprocess

from processes import ROOT, tool

REGION, ACCOUNT, STACK = "eu-central-1", "123456789012", "shop"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::StackName": STACK,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = object()


@functools.cache
def _transform():
    """The process that expands templates. It ends with its standard input, so with this process."""
    command = [tool("sam") / "python", ROOT / "tests/aws/transform.py", "transform"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@functools.cache
def _expanded(parameters, time):
    process = _transform()
    print(json.dumps({"parameters": dict(parameters), "time": time}), file=process.stdin, flush=True)
    line = process.stdout.readline()
    assert line, "the transform failed, see its message above"
    return json.loads(line)


class Stack:
    """A stack with these parameters. The others have their defaults."""

    def __init__(self, time=1_800_000_000, **parameters):
        self.template = _expanded(tuple(sorted(parameters.items())), time)
        declared = self.template["Parameters"]
        assert set(parameters) <= set(declared), f"no such parameter: {set(parameters) - set(declared)}"
        self.parameters = {name: str(about.get("Default", "")) for name, about in declared.items()} | parameters
        self.lists = {name for name, about in declared.items() if about["Type"] == "CommaDelimitedList"}

    @functools.cached_property
    def resources(self):
        """The resources whose conditions hold."""
        return {
            name: self.value(resource)
            for name, resource in self.template["Resources"].items()
            if self._condition(resource.get("Condition"))
        }

    def properties(self, name):
        return self.resources[name]["Properties"]

    def of_type(self, kind):
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}

    def output(self, name):
        return self.value(self.template["Outputs"][name]["Value"])

    def broken_rules(self):
        """The descriptions of the assertions that do not hold."""
        broken = []
        for rule in self.template["Rules"].values():
            if self.value(rule.get("RuleCondition", True)):
                broken += [one["AssertDescription"] for one in rule["Assertions"] if not self.value(one["Assert"])]
        return broken

    def _condition(self, name):
        return name is None or self.value(self.template["Conditions"][name])

    def _text(self, name):
        value = self._ref(name)
        return value if isinstance(value, str) else f"<{name}>"

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NOTHING
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.lists:
            return [part for part in self.parameters[name].split(",") if part]
        # A resource has no value before the stack exists.
        return self.parameters.get(name, {"Ref": name})

    def _sub(self, argument):
        text, names = (argument, {}) if isinstance(argument, str) else argument
        names = {name: self.value(value) for name, value in names.items()}

        def replaced(match):
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            value = names.get(name, self._text(name))
            if isinstance(value, str):
                return value
            # An attribute or the name of a resource.
            [target] = value.values()
            return target if isinstance(target, str) else ".".join(target)

        return re.sub(r"\$\{([^}]+)\}", replaced, text)

    def _intrinsic(self, name, argument):
        """The value of a function of CloudFormation."""
        match name:
            case "Ref":
                return self._ref(argument)
            case "Condition":
                return self._condition(argument)
            case "Fn::If":
                condition, yes, no = argument
                return self.value(yes if self._condition(condition) else no)
            case "Fn::Equals":
                one, other = map(self.value, argument)
                return str(one) == str(other)
            case "Fn::Not":
                return not self.value(argument[0])
            case "Fn::And":
                return all(map(self.value, argument))
            case "Fn::Or":
                return any(map(self.value, argument))
            case "Fn::Contains":
                return self.value(argument[1]) in self.value(argument[0])
            case "Fn::Join":
                return argument[0].join(self.value(argument[1]))
            case "Fn::Split":
                return self.value(argument[1]).split(argument[0])
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::GetAtt":
                return {"Fn::GetAtt": argument}
        raise AssertionError(f"this test does not know {name}")

    def value(self, node):
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(name, argument)] = node.items()
            # A resource also has the key `Condition`, but beside others.
            if name in ("Ref", "Condition") and isinstance(argument, str) or name.startswith("Fn::"):
                return self._intrinsic(name, argument)
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not NOTHING}
