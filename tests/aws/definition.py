"""Checks what template.yaml defines for values of its parameters: who may send requests, rights, limits and outputs."""

import json
import re
import subprocess

from processes import ROOT, tool
from templates import REGION, STACK, Stack

ISSUER, OTHER = "https://oidc.example.com/id/A", "https://oidc.example.com/id/B"
OPEN = {"Cluster": "eks:prod", "PublicAccess": "acknowledged"}
GUARDED = {"Cluster": "eks:prod", "JwtIssuer": ISSUER}
PRIVATE = {"Cluster": "eks:prod", "ApiType": "rest-private", "VpcEndpointIds": "vpce-1,vpce-2"}
FIRST = ["Cluster", "EksClusterName", "JwtIssuer"]
TOKEN = "/var/run/secrets/target-allocator/token"


def groups_hold_every_parameter_once():
    template = Stack(**OPEN).template
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"]), set(grouped) ^ set(template["Parameters"])
    assert groups[0]["Parameters"] == FIRST, groups[0]


def three_parameters_are_enough():
    stack = Stack(Cluster="eks:prod", EksClusterName="prod", JwtIssuer=ISSUER)
    without = [name for name, about in stack.template["Parameters"].items() if "Default" not in about]
    assert set(without) <= set(FIRST), f"no default: {without}"
    assert not stack.broken_rules(), stack.broken_rules()


def rules():
    refused = {
        "Without JwtIssuer": {"Cluster": "eks:prod"},
        "Secrets=inline": {**OPEN, "Secrets": "inline"},
        "VpcEndpointIds": {"Cluster": "eks:prod", "ApiType": "rest-private"},
        "OtherJwtIssuers": {**OPEN, "OtherJwtIssuers": OTHER},
        "LogLevel": {**GUARDED, "LogLevel": "WARN"},
    }
    for words, parameters in refused.items():
        broken = Stack(**parameters).broken_rules()
        assert len(broken) == 1 and words in broken[0], f"{parameters}: {broken}"
    quiet = {**GUARDED, "LogLevel": "WARN", "Alarms": "false"}
    for parameters in (OPEN, GUARDED, PRIVATE, {**GUARDED, "ApiType": "rest"}, quiet):
        broken = Stack(**parameters).broken_rules()
        assert not broken, f"{parameters}: {broken}"


def operations(stack):
    """Each method of the REST API, with the authorizers that it needs."""
    body = stack.properties("RestGateway")["Body"]
    found = {
        (path, method): operation.get("security")
        for path, item in body["paths"].items()
        for method, operation in item.items()
    }
    assert set(found) == {(path, method) for path in ("/", "/{proxy+}") for method in ("get", "head")}, found
    return body, found


def rest_methods_need_the_authorizer():
    for kind in ({"ApiType": "rest"}, PRIVATE):
        for issuers in ({"JwtIssuer": ISSUER}, {"JwtIssuer": ISSUER, "OtherJwtIssuers": OTHER}):
            stack = Stack(**{"Cluster": "eks:prod", **kind, **issuers})
            body, found = operations(stack)
            assert all(security == [{"service-account": []}] for security in found.values()), found
            scheme = body["components"]["securitySchemes"]["service-account"]
            assert (scheme["in"], scheme["name"]) == ("header", "Authorization"), scheme
            assert "AuthorizerFunction" in scheme["x-amazon-apigateway-authorizer"]["authorizerUri"], scheme
            variables = stack.properties("AuthorizerFunction")["Environment"]["Variables"]
            assert variables["ISSUERS"] == ",".join(issuers.values()), variables
    body, found = operations(Stack(**OPEN, ApiType="rest"))
    assert all(security is None for security in found.values()), found
    assert "securitySchemes" not in body["components"], body["components"]


def a_private_api_admits_its_endpoints():
    body, _ = operations(Stack(**PRIVATE))
    [statement] = body["x-amazon-apigateway-policy"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}, statement
    body, _ = operations(Stack(**OPEN, ApiType="rest"))
    assert "x-amazon-apigateway-policy" not in body


def failures_of_the_gateway_have_a_message():
    body, _ = operations(Stack(**OPEN, ApiType="rest"))
    answers = body["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED"} <= set(answers), set(answers)
    for kind, answer in answers.items():
        for text in answer["responseTemplates"].values():
            assert isinstance(json.loads(text)["message"], str), f"{kind}: {text}"


def the_http_route_needs_the_authorizer():
    expected = {
        "JWT": GUARDED,
        "CUSTOM": {**GUARDED, "OtherJwtIssuers": OTHER},
        "NONE": OPEN,
    }
    for kind, parameters in expected.items():
        stack = Stack(**parameters)
        route = stack.properties("Route")
        assert route["AuthorizationType"] == kind, route
        authorizers = stack.of_type("AWS::ApiGatewayV2::Authorizer")
        assert len(authorizers) == (kind != "NONE"), authorizers
        for name in authorizers:
            assert route["AuthorizerId"] == {"Ref": name}, route
        assert stack.properties("Stage")["AutoDeploy"] is True


def deployment(stack):
    """The logical ID of the deployment that the stage of the REST API serves."""
    [served] = stack.of_type("AWS::ApiGateway::Stage").values()
    [made] = stack.of_type("AWS::ApiGateway::Deployment")
    assert served["DeploymentId"] == {"Ref": made}, f"the stage serves {served['DeploymentId']}, not {made}"
    return made


def changes_of_a_rest_api_are_deployed():
    """CloudFormation makes a new deployment only if the logical ID of the deployment changes."""
    changes = {
        "an issuer": (OPEN, GUARDED),
        "another issuer": (GUARDED, {**GUARDED, "JwtIssuer": OTHER}),
        "no issuer": (GUARDED, OPEN),
        "VPC endpoints": (OPEN, {**PRIVATE, "PublicAccess": "acknowledged"}),
        "other VPC endpoints": (PRIVATE, {**PRIVATE, "VpcEndpointIds": "vpce-3"}),
        # Changes of the template itself look like this.
        "nothing": (GUARDED, GUARDED),
    }
    for name, (before, after) in changes.items():
        one = deployment(Stack(**{"ApiType": "rest", **before}))
        two = deployment(Stack(time=1_800_000_060, **{"ApiType": "rest", **after}))
        assert one != two, f"{name}: the old deployment stays"


def rights_of_several_clusters():
    clusters = [f"arn:aws:eks:{region}:123456789012:cluster/dev" for region in ("eu-west-1", "us-east-1")]
    roles = ["arn:aws:iam::210987654321:role/reader", "arn:aws:iam::210987654321:role/team/reader"]
    stack = Stack(**GUARDED, ClusterArns=",".join(clusters), ClusterRoleArns=",".join(roles))
    statements = {
        statement["Action"]: statement["Resource"]
        for policy in stack.properties("Role")["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if isinstance(statement["Action"], str)
    }
    assert statements == {"eks:DescribeCluster": clusters, "sts:AssumeRole": roles}, statements
    policies = [policy["PolicyName"] for policy in Stack(**GUARDED).properties("Role")["Policies"]]
    assert policies == ["logs"], policies


def descriptions_are_short_enough():
    clusters = ",".join(f"c{number}=eks:cluster-{number}@eu-west-1" for number in range(50))
    stack = Stack(**{**GUARDED, "Cluster": clusters, "OtherJwtIssuers": OTHER})
    functions = stack.of_type("AWS::Lambda::Function")
    assert set(functions) == {"Function", "AuthorizerFunction"}
    for name, function in functions.items():
        # A name of a stack has at most 128 characters.
        longest = function["Description"].replace(STACK, "s" * 128)
        assert len(longest) <= 256, f"{name}: {longest}"
    assert functions["Function"]["Environment"]["Variables"]["CLUSTER"] == clusters


def access_logs_can_be_off():
    for kind, parameters in {"HttpAccessLogs": GUARDED, "RestAccessLogs": {**GUARDED, "ApiType": "rest"}}.items():
        for wanted in ("true", "false"):
            stack = Stack(**parameters, **{kind: wanted})
            stages = stack.of_type("AWS::ApiGatewayV2::Stage") | stack.of_type("AWS::ApiGateway::Stage")
            [stage] = stages.values()
            has = "AccessLogSettings" in stage or "AccessLogSetting" in stage
            assert has == ("AccessLogs" in stack.resources) == (wanted == "true"), f"{kind}={wanted}"


CANARY = {**GUARDED, "Canary": "true", "Release": "1796104698"}


def invoked(stack):
    """What the gateway invokes, and what it may invoke."""
    integrations = [one["IntegrationUri"] for one in stack.of_type("AWS::ApiGatewayV2::Integration").values()]
    if "RestGateway" in stack.resources:
        paths = stack.properties("RestGateway")["Body"]["paths"].values()
        integrations = [one["x-amazon-apigateway-integration"]["uri"] for item in paths for one in item.values()]
    [function] = {uri.split("/functions/")[1].split("/")[0] for uri in integrations}
    return function, stack.properties("Permission")["FunctionName"]


def a_canary_goes_through_the_alias():
    for kind in ({}, {"ApiType": "rest"}):
        assert invoked(Stack(**GUARDED, **kind)) == ("Function.Arn", {"Ref": "Function"}), kind
        assert invoked(Stack(**CANARY, **kind)) == ("FunctionAliaslive", {"Ref": "FunctionAliaslive"}), kind


def a_canary_rolls_back_on_alarms():
    assert not Stack(**GUARDED).of_type("AWS::CodeDeploy::DeploymentGroup")
    stack = Stack(**CANARY)
    [group] = stack.of_type("AWS::CodeDeploy::DeploymentGroup").values()
    watched = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
    assert set(watched) == {"ErrorsAlarm", "ServerErrorsAlarm", "GatewayErrorsAlarm"} <= set(stack.resources), watched
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"], group
    assert "CodeDeployLambdaAliasUpdate" in stack.resources["FunctionAliaslive"]["UpdatePolicy"]
    # A canary of ten minutes is longer than the alarms need.
    for name in watched:
        alarm = stack.properties(name)
        periods = {one["MetricStat"]["Period"] for one in alarm.get("Metrics", []) if "MetricStat" in one}
        [period] = periods or {alarm["Period"]}
        assert period * alarm["DatapointsToAlarm"] < 10 * 60, name


def a_release_publishes_a_version():
    def version(**changes):
        [name] = Stack(**{**CANARY, **changes}).of_type("AWS::Lambda::Version")
        return name

    assert version() != version(Release="1796104699")
    for wanted, parameters in {"Release": {"Release": "0"}, "Alarms": {"Alarms": "false"}}.items():
        broken = Stack(**{**CANARY, **parameters}).broken_rules()
        assert len(broken) == 1 and wanted in broken[0], broken
    assert not Stack(**CANARY).broken_rules()


def the_dashboard_names_its_region():
    dashboard = Stack(**GUARDED).properties("Dashboard")
    assert dashboard["DashboardName"] == f"{STACK}-{REGION}", dashboard["DashboardName"]
    assert json.loads(dashboard["DashboardBody"])["widgets"]


def the_collector_config_can_be_pasted():
    for parameters in (OPEN, GUARDED, {**GUARDED, "ApiType": "rest"}, PRIVATE):
        text = Stack(**parameters).output("CollectorConfig")
        config = json.loads(text)
        # The console shows outputs without their line breaks.
        assert json.loads(" ".join(text.split())) == config
        allocator = config["receivers"]["prometheus"]["target_allocator"]
        assert allocator["endpoint"] and allocator["collector_id"] == "${env:POD_NAME}", allocator
        assert ("auth" in allocator) == ("service" in config) == ("JwtIssuer" in parameters), config
        if "auth" in allocator:
            [(name, extension)] = config["extensions"].items()
            assert allocator["auth"] == {"authenticator": name} and config["service"] == {"extensions": [name]}
            authorization = allocator["http_sd_config"]["authorization"]
            assert authorization == {"type": "Bearer", "credentials_file": TOKEN}, authorization
            assert extension == {"filename": TOKEN}, extension


def sam_builds_what_it_deploys(folder):
    """sam reads the architecture for both commands from samconfig.toml. Here cargo only writes down what it must build."""
    fake = folder / "cargo"
    (folder / "cargo-lambda").symlink_to(fake)
    fake.write_text(
        "#!/bin/sh\n"
        'case "$*" in *metadata*) echo "{\\"target_directory\\": \\"$PWD/target\\", \\"packages\\": []}"; exit;; esac\n'
        f'echo "$*" >> {folder}/built\nmkdir -p target/lambda/target-allocator\n'
        "echo > target/lambda/target-allocator/bootstrap\n"
    )
    fake.chmod(0o755)
    source = folder / "source"
    source.mkdir()
    for name in ("template.yaml", "Cargo.toml"):
        (source / name).write_text((ROOT / name).read_text())
    install = (ROOT / "docs/install.md").read_text()
    example = install.split("```toml\n")[1].split("```")[0]
    config = (ROOT / "samconfig.toml").read_text()
    built = {}
    for architecture in ("arm64", "x86_64"):
        overrides = example.replace('"Architecture=arm64"', f'"Architecture={architecture}"')
        assert f'"Architecture={architecture}"' in overrides, example
        # The reader replaces the first section, up to the next one.
        replaced, count = re.subn(r"\[default\.global\.parameters\][^\[]*", overrides + "\n", config)
        assert count == 1, config
        (source / "samconfig.toml").write_text(replaced)
        (folder / "built").write_text("")
        environment = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder), "AWS_DEFAULT_REGION": REGION}
        result = subprocess.run(
            [tool("sam") / "sam", "build"],
            cwd=source, env={**environment, "SAM_CLI_TELEMETRY": "0"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        built[architecture] = (folder / "built").read_text()
        assert built[architecture], f"nothing was built: {result.stderr[-2000:]}"
    # cargo-lambda builds for x86_64 unless it is asked for arm64.
    assert "--arm64" in built["arm64"] and "arm64" not in built["x86_64"], built


def section(results, folder):
    checks = [
        groups_hold_every_parameter_once,
        three_parameters_are_enough,
        rules,
        rest_methods_need_the_authorizer,
        a_private_api_admits_its_endpoints,
        failures_of_the_gateway_have_a_message,
        the_http_route_needs_the_authorizer,
        changes_of_a_rest_api_are_deployed,
        rights_of_several_clusters,
        descriptions_are_short_enough,
        access_logs_can_be_off,
        a_canary_goes_through_the_alias,
        a_canary_rolls_back_on_alarms,
        a_release_publishes_a_version,
        the_dashboard_names_its_region,
        the_collector_config_can_be_pasted,
    ]
    for check in checks:
        results.check(f"template: {check.__name__.replace('_', ' ')}", check)
    results.check("template: sam builds what it deploys", sam_builds_what_it_deploys, folder)
