package main

// pool holds values for a field: some that fit, and some that are likely to be
// refused by the API server, the operator or Prometheus.
type pool struct{ fits, wrong []any }

func fits(values ...any) pool { return pool{fits: values} }

func (p pool) or(wrong ...any) pool { return pool{p.fits, wrong} }

// texts are values for fields that take any text.
var texts = fits("one", "two words", "thr33", "yes", "0x1F", "1.0", "null", "~", "a: b", "#x", "- a", "é😀",
	" x ", "$1", "a\nb", "'\"", "{}", "%41", "*a", "!t", "1e3", "0o17", "2026-01-01")

// customary are fields that a schema does not ask for and that a spec is
// nothing without.
var customary = []string{"endpoints", "podMetricsEndpoints", "prober", "targets"}

// alternatives are fields of which an object has one at most.
var alternatives = [][]string{
	{"authorization", "basicAuth", "bearerTokenFile", "bearerTokenSecret", "oauth2"},
	{"ca", "caFile"},
	{"cert", "certFile"},
	{"configMap", "secret"},
	{"keyFile", "keySecret"},
	{"noProxy", "proxyFromEnvironment"},
	{"proxyFromEnvironment", "proxyUrl"},
}

// companions are fields that make no sense without another.
var companions = map[string]string{
	"cert":               "keySecret",
	"certFile":           "keyFile",
	"keyFile":            "certFile",
	"keySecret":          "cert",
	"noProxy":            "proxyUrl",
	"proxyConnectHeader": "proxyUrl",
}

// needs are fields, by what they stand in, of which one at least makes sense of
// the others.
var needs = map[string][][]string{
	"authorization":  {{"credentials"}},
	"azureSDConfigs": {{"tenantID"}, {"clientID"}, {"clientSecret"}},
	"basicAuth":      {{"username"}, {"password"}},
	"ca":             {{"configMap", "secret"}},
	"cert":           {{"configMap", "secret"}},
	"clientId":       {{"configMap", "secret"}},
	"targets":        {{"ingress", "staticConfig"}},
}

// patternPools hold the values of texts with a pattern.
var patternPools = map[string]pool{
	durationPattern: fits("15s", "30s", "1m", "90s", "2m", "1h30m").
		or("", "0", "0s", "500ms", "1y", "1d12h", "soon", "1m1h", "300y", "9999999999999s"),
	`(^0|([0-9]*[.])?[0-9]+((K|M|G|T|E|P)i?)?B)$`: fits("10MB", "512KiB", "0", "1.5GiB", "5B", ".5KB", "1EB").
		or("", "x5MB", "99EB", "99999999999EB", "1024", "1 MB"),
	// Not what the pattern takes and a quantity does not, such as 1e1.5: the
	// peers then wait for ever for their list of monitors.
	`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`: fits(
		int64(2), "1.1", "500m", "1e3", "2Ki", "1.5", "3.14159265358979", "1100u", "+2", "1.", ".5").
		or("-1", "1e-30", "99E", "x", "0.0000000015", ""),
	`^(http|https)://.+$`: fits("https://login.example/token", "http://login.example/t?x=y").
		or("ftp://x", "http://[::1", "http://a b", "https://%zz"),
	`^(http|https|socks5)://.+$`: fits("http://proxy:3128", "https://proxy.example:8080", "socks5://p:1", "http://user:word@proxy:1").
		or("http://a b", "http://[::1", "://x", "http://x/%zz", "HTTP://proxy", "http://é"),
	`^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$`: fits("/etc/targets/*.json", "a.yml", "b/c.YAML").
		or("a.txt", "*/x.json", ""),
	`^[a-zA-Z][a-zA-Z0-9+.-]*://.+$`: fits("unix:///var/run/docker.sock", "tcp://docker.example:2375", "http://docker:80").
		or("docker", "1://x", "http://[::1"),
	`^https?://.+$`: fits("https://sd.example/targets", "http://sd.example:8080/x?y=z", "http://[fd00::1]:80/").
		or("http://a b", "http://[::1", "http:///x", "https://%zz", "sd.example", "http://?x"),
}

const durationPattern = `^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$`

// pools hold the values of fields whose schema says too little, by the field's
// name or, where that is not enough, its own after its parent's.
var pools = map[string]pool{
	// Monitors
	"jobLabel":                  fits("app.kubernetes.io/name", "app", "x.y/z", "a_b", ""),
	"podTargetLabels":           fits([]any{"app"}, []any{"app.kubernetes.io/name", "tier"}, []any{"a-b", "a.b", "a_b"}, []any{}).or([]any{"é"}, []any{""}, []any{"1d"}),
	"targetLabels":              fits([]any{"app"}, []any{"app.kubernetes.io/name", "tier"}, []any{"a-b", "a.b", "a_b"}, []any{}).or([]any{"é"}, []any{""}, []any{"1d"}),
	"scrapeClass":               fits("mesh", "labelled", "plain").or("none-such", ""),
	"endpoints.port":            fits("web", "metrics", "http-metrics", "yes").or("", "a(b", "$1"),
	"podMetricsEndpoints.port":  fits("web", "metrics", "http-metrics", "yes").or("", "a(b", "$1"),
	"targetPort":                fits(int64(8080), "web", "8080").or("", int64(0), int64(-1), int64(70000), "0x1F"),
	"path":                      fits("/metrics", "/probe", "/a b?c=d", "m").or(""),
	"metricsPath":               fits("/metrics", "/federate", "m").or(""),
	"bearerTokenFile":           fits("/var/run/secrets/token").or(""),
	"caFile":                    fits("/etc/tls/ca.pem").or("", "relative.pem"),
	"certFile":                  fits("/etc/tls/cert.pem").or(""),
	"keyFile":                   fits("/etc/tls/key.pem").or(""),
	"serverName":                fits("web.example", "api.example").or("", "a b"),
	"noProxy":                   fits("localhost,.svc", "10.0.0.0/8", "a,b").or(""),
	"authorization.type":        fits("Bearer", "Custom", "", "bearer", "yes").or("basic", " Basic ", "BASIC", " x "),
	"namespaceSelector":         fits(object{}, object{"any": true}, object{"matchNames": []any{"team-b", "team-a"}}, object{"any": true, "matchNames": []any{"x"}}, object{"any": false, "matchNames": []any{}}),
	"matchLabels":               fits(object{"app": "web"}, object{"app.kubernetes.io/name": "api", "tier": ""}, object{}, object{"a_b": "a.b"}).or(object{"bad key": "x"}, object{"app": "bad value!"}, object{"": "x"}),
	"matchExpressions.key":      fits("app", "x/y", "can-ary", "app.kubernetes.io/name").or("", "a b"),
	"matchExpressions.operator": fits("In", "NotIn", "Exists", "DoesNotExist").or("in", "Like", ""),
	"matchExpressions.values":   fits([]any{"web"}, []any{"web", "a.b"}).or([]any{}, []any{"a b"}, []any{""}),

	// Relabelling
	"sourceLabels": fits([]any{"__meta_kubernetes_pod_name"}, []any{"__address__"}, []any{"job", "instance"}, []any{}).or([]any{"a b"}, []any{"é", ""}, []any{"0a"}),
	"targetLabel":  fits("out", "__tmp_x", "a_${1}", "a1").or("", "$1", "0a", "a b", "é", "a-b", "with.dots"),
	"regex": fits("(.*)", "(.+)", "([^:]+)(?::\\d+)?", "web|api", "(?i)WEB.*", "\\Qa.b\\E", "\\pL+", "[[:alpha:]]+", "", "^(a|b)$", "(?P<n>a)", "yes").
		or("(", "(?=a)", "a{1001}", "\\", "[z-a]", "(?P<n>", "*"),
	"replacement": fits("$1", "${1}-x", "$$", "fixed", "", "yes", "0x10", "a: b", "$n").or("${1}-x y", "é", "1x"),
	"separator":   fits(";", "", "@@", ", ", "/"),

	// Probes
	"module":      fits("http_2xx", "icmp", "yes", ""),
	"jobName":     fits("job", "a $1 b", "yes").or(""),
	"prober.url":  fits("prober", "prober.monitoring.svc:9115", "10.9.8.7:9115", "[fd00::1]:9115").or("http://prober", "p:0", "p:99999", "x y", "a/b", "::1", "_x-y.z.", "fe80::1%e", "p:", ":80"),
	"static":      fits([]any{"https://example.com/a"}, []any{"a:1", "b:2"}, []any{"[fd00::1]:443"}, []any{"yes"}).or([]any{}, []any{""}, []any{"a b"}),
	"params.name": fits("module", "target", "yes", "x y"),

	// Scrape configs
	"staticConfigs.targets":         fits([]any{"host:9100"}, []any{"10.9.8.7:80", "b:1"}, []any{"[fd00::1]:443"}, []any{"host"}).or([]any{"http://x"}, []any{"a/b"}, []any{""}, []any{"a b"}),
	"kubernetesSDConfigs.apiServer": fits("https://kube.example:6443").or("kube.example", "http://a b", "", "x://"),
	"selectors.field":               fits("metadata.name=x", "status.phase!=Failed", "a=b,c==d").or("a=b=c", "x", "=", "a=b,", ""),
	"selectors.label":               fits("app=web", "app in (web, api),!canary", "x/y notin (a)", "a>1").or("a in (", "=", "a b", "!", "a=b=c", ""),
	"namespaces.names":              fits([]any{"team-a"}, []any{"team-a", "team-b"}, []any{}).or([]any{"a", "a"}),
	"dnsSDConfigs.names":            fits([]any{"_web._tcp.example.com"}, []any{"a.example", "b.example"}).or([]any{""}, []any{}),
	"azureSDConfigs.environment":    fits("AzurePublicCloud").or("Mars"),
	"ovhcloudSDConfigs.endpoint":    fits("ovh-eu").or("mars"),
	"lightSailSDConfigs.endpoint":   fits("https://lightsail.example"),
	"scalewaySDConfigs.accessKey":   fits("SCWABCDEFGHIJKLMNOPQ").or("x"),
	"scalewaySDConfigs.projectID":   fits("6ba7b810-9dad-11d1-80b4-00c04fd430c8").or("x"),
	"consulSDConfigs.server":        fits("consul.example:8500", "consul"),
}

// mapKeys hold the keys of maps.
var mapKeys = map[string]pool{
	"proxyConnectHeader": fits("X-A", "x-b", "Proxy-Authorization").or(""),
	"labels":             fits("team", "zone", "namespace", "yes").or("é", "", "a b", "with.dots", "1a"),
	"params":             fits("module", "target", "yes", "x y", "match[]"),
	"endpointParams":     fits("audience", "a", "yes", "1"),
}

// oddKeys are keys of the secret whose values need care in YAML.
var oddKeys = []string{"empty", "newline", "yes", "number", "spaces", "tab", "colon", "hash", "unicode", "crlf", "quotes", "dash", "null", "lead"}

// poolOf returns the values for a path, if the schema alone cannot make any.
func poolOf(path []string) (pool, bool) {
	if len(path) == 0 {
		return pool{}, false
	}
	last := path[len(path)-1]
	if len(path) > 1 {
		if found, ok := pools[path[len(path)-2]+"."+last]; ok {
			return found, true
		}
	}
	found, ok := pools[last]
	return found, ok
}

// keysOf returns the keys for the map at a path.
func keysOf(path []string) pool {
	if found, ok := mapKeys[path[len(path)-1]]; ok {
		return found
	}
	return fits("alpha", "X-Beta", "gamma_1")
}
