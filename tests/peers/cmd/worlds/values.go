package main

import "strings"

// durationPattern begins the pattern of every duration in a schema.
const durationPattern = "^(0|(([0-9]+)y)?"

func duration(d *dice) any {
	return pick[any](d, "5s", "10s", "15s", "30s", "45s", "1m", "90s", "2m", "1h30m")
}

// valueOf makes the values of fields that a schema says too little of, by the
// field's name or, where that is not enough, its own and its parent's.
var valueOf = map[string]func(*dice) any{
	// Monitors
	"relabelings":                    rules,
	"metricRelabelings":              rules,
	"relabelingConfigs":              rules,
	"selector":                       selector,
	"matchNames":                     oneOf([]any{"team-a"}, []any{"team-b", "team-a"}, []any{}),
	"targetLabels":                   labelNames,
	"podTargetLabels":                labelNames,
	"jobLabel":                       oneOf("app.kubernetes.io/name", "app", "x.y/z"),
	"scrapeClass":                    sometimes("none-such", "mesh", "labelled"),
	"endpoints[].port":               oneOf("web", "web", "metrics", "web-admin"),
	"podMetricsEndpoints[].port":     oneOf("web", "metrics"),
	"portNumber":                     oneOf(int64(8080), int64(65535)),
	"targetPort":                     oneOf(int64(8080), "web", "metrics"),
	"path":                           oneOf("/metrics", "/probe", "/a b?c=d"),
	"metricsPath":                    oneOf("/metrics", "/federate"),
	"interval":                       oneOf("15s", "30s", "1m", "90s", "2m"),
	"scrapeInterval":                 oneOf("15s", "30s", "1m", "90s", "2m"),
	"scrapeTimeout":                  sometimes("3m", "1s", "5s", "10s"),
	"bodySizeLimit":                  sometimes("1.5EB", "10MB", "512KiB", "0"),
	"nativeHistogramMinBucketFactor": oneOf(int64(2), "1.1", "500m", "1e3"),
	"bearerTokenFile":                oneOf("/var/run/secrets/token", "/etc/token"),
	"caFile":                         oneOf("/etc/tls/ca.pem"),
	"certFile":                       oneOf("/etc/tls/cert.pem"),
	"keyFile":                        oneOf("/etc/tls/key.pem"),
	"minVersion":                     oneOf("TLS10", "TLS11", "TLS12"),
	"maxVersion":                     oneOf("TLS12", "TLS13"),
	"serverName":                     oneOf("web.example", "api.example"),
	"proxyUrl":                       oneOf("http://proxy:3128", "https://proxy.example:8080", "socks5://p:1"),
	"noProxy":                        oneOf("localhost,.svc", "10.0.0.0/8"),
	"tokenUrl":                       oneOf("https://login.example/token", "http://login.example/t?x=y"),
	"scopes":                         oneOf([]any{"read"}, []any{"read", "write"}),
	"endpointParams":                 oneOf(object{"audience": "x"}, object{"a": "b", "c": "d & e"}),

	// Probes
	"module":     oneOf("http_2xx", "icmp"),
	"prober.url": sometimes("http://prober", "prober.monitoring.svc:9115", "10.9.8.7:9115", "prober", "[fd00::1]:80"),
	"static":     oneOf([]any{"https://example.com/a"}, []any{"a:1", "b:2"}, []any{"[fd00::1]:443"}),
	"labels":     oneOf(object{"team": "x"}, object{"zone": "a", "métrique": "ü"}, object{"with.dots": "1"}),

	// Scrape configs
	"targets[]":                     oneOf("host:9100", "10.9.8.7:80", "[fd00::1]:443"),
	"field":                         sometimes("a=b=c", "metadata.name=x", "status.phase!=Failed"),
	"label":                         sometimes("a in (", "app=web", "app in (web, api),!canary"),
	"apiServer":                     sometimes("kube.example", "https://kube.example:6443"),
	"consulSDConfigs[].server":      oneOf("consul.example:8500", "consul"),
	"server":                        oneOf("https://sd.example:8500", "http://sd.example"),
	"url":                           oneOf("https://sd.example/targets", "http://sd.example:8080/x?y=z"),
	"files":                         oneOf([]any{"/etc/targets/*.json"}, []any{"a.yml", "b.yaml"}),
	"host":                          oneOf("unix:///var/run/docker.sock", "tcp://docker.example:2375"),
	"scalewaySDConfigs[].accessKey": oneOf("SCWABCDEFGHIJKLMNOPQ"),
	"scalewaySDConfigs[].zone":      oneOf("fr-par-1"),
	"scalewaySDConfigs[].projectID": oneOf("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
	"apiURL":                        oneOf("https://api.example"),
	"identityEndpoint":              oneOf("https://identity.example/v3"),
	"tenantID":                      oneOf("6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
	"environment":                   oneOf("AzurePublicCloud"),
	"ovhcloudSDConfigs[].endpoint":  oneOf("ovh-eu"),
	"lightSailSDConfigs[].endpoint": oneOf("https://lightsail.example"),
}

// maker returns what makes the values for a path, if the schema alone cannot.
func maker(path string) (func(*dice) any, bool) {
	fields := strings.Split(path, ".")
	if len(fields) > 1 {
		if make, ok := valueOf[strings.Join(fields[len(fields)-2:], ".")]; ok {
			return make, true
		}
	}
	make, ok := valueOf[fields[len(fields)-1]]
	return make, ok
}

func oneOf(values ...any) func(*dice) any {
	return func(d *dice) any { return pick(d, values...) }
}

// sometimes makes one of the values, or the wrong one if there is to be mischief.
func sometimes(wrong any, values ...any) func(*dice) any {
	return func(d *dice) any {
		if d.slip(0.1) {
			return wrong
		}
		return pick(d, values...)
	}
}

func labelNames(d *dice) any {
	return pick(d, []any{"app"}, []any{"app.kubernetes.io/name", "tier"}, []any{"a-b", "a.b", "a_b"})
}

func selector(d *dice) any {
	made := object{}
	if d.chance(0.7) {
		made["matchLabels"] = pick(d, object{"app": "web"}, object{"app.kubernetes.io/name": "api"}, object{"app": "web", "tier": ""})
	}
	if d.chance(0.3) {
		made["matchExpressions"] = []any{next(d, "matchExpressions",
			object{"key": "app", "operator": "In", "values": []any{"web", "api"}},
			object{"key": "tier", "operator": "NotIn", "values": []any{"back"}},
			object{"key": "team", "operator": "Exists"},
			object{"key": "can-ary", "operator": "DoesNotExist"},
		)}
	}
	if d.slip(0.1) {
		made["matchExpressions"] = []any{pick(d,
			object{"key": "app", "operator": "In"},
			object{"key": "app", "operator": "Like", "values": []any{"w"}},
		)}
	}
	return made
}

// rules makes relabelling rules, of which few are not valid.
func rules(d *dice) any {
	made := []any{}
	for range 2 + d.IntN(3) {
		made = append(made, rule(d))
	}
	return made
}

func rule(d *dice) object {
	sources := pick(d, []any{"__meta_kubernetes_pod_name"}, []any{"__address__"}, []any{"job", "instance"})
	regex := pick(d, "(.+)", "([^:]+)(?::\\d+)?", "web|api", "", "(?i)WEB.*", "\\Qa.b\\E", "\\pL+", "[[:alpha:]]+")
	if d.slip(0.1) {
		return next(d, "wrong rule",
			object{"action": "replace", "sourceLabels": sources},
			object{"action": "hashmod", "sourceLabels": sources, "targetLabel": "shard"},
			object{"action": "keep", "sourceLabels": sources, "regex": "("},
			object{"action": "keep", "sourceLabels": sources, "regex": "(?=a)"},
			object{"action": "labeldrop", "sourceLabels": sources, "regex": "x"},
			object{"action": "uppercase", "sourceLabels": sources},
			object{"action": "keepequal", "sourceLabels": sources, "targetLabel": "x", "regex": "y"},
			object{"action": "replace", "sourceLabels": sources, "targetLabel": ""},
			object{"action": "labelmap", "regex": "(.+)", "replacement": "${1}-x y"},
		)
	}
	return next(d, "rule",
		object{"sourceLabels": sources, "targetLabel": "copy"},
		object{"action": next(d, "replace", "replace", "Replace"), "sourceLabels": sources, "regex": regex, "targetLabel": "out", "replacement": pick(d, "$1", "${1}-x", "$$", "fixed", "")},
		object{"action": "replace", "sourceLabels": sources, "separator": pick(d, "/", "", "::"), "targetLabel": pick(d, "${1}_x", "with.dots", "ünï")},
		object{"action": "replace", "targetLabel": "env", "replacement": "test"},
		object{"action": next(d, "keep", "keep", "Keep", "drop", "Drop"), "sourceLabels": sources, "regex": regex},
		object{"action": next(d, "hashmod", "hashmod", "HashMod"), "sourceLabels": sources, "targetLabel": "__tmp_shard", "modulus": int64(1 + d.IntN(9))},
		object{"action": next(d, "labelmap", "labelmap", "LabelMap"), "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": pick(d, "$1", "pod_$1")},
		object{"action": next(d, "labeldrop", "labeldrop", "LabelDrop", "labelkeep", "LabelKeep"), "regex": pick(d, "endpoint|container", "a.*")},
		object{"action": next(d, "case", "lowercase", "Lowercase", "uppercase", "Uppercase"), "sourceLabels": sources, "targetLabel": "cased"},
		object{"action": next(d, "equal", "keepequal", "KeepEqual", "dropequal", "DropEqual"), "sourceLabels": sources, "targetLabel": "__tmp_other"},
	)
}

// keySelector refers to a key of what secretsOf makes. Few references lead
// nowhere.
func keySelector(d *dice, path string) object {
	name, key := "credentials", pick(d, "user", "password", "token")
	if strings.HasSuffix(path, ".configMap") {
		name, key = "public", "user"
	}
	if strings.HasPrefix(path, ".scalewaySDConfigs") {
		key = "token"
	}
	for _, part := range []string{"ca", "cert", "keySecret"} {
		if strings.Contains(path+".", "."+part+".") {
			key = strings.TrimSuffix(part, "Secret")
		}
	}
	made := object{"name": name, "key": key}
	switch {
	case d.slip(0.1):
		made["name"] = "absent"
	case d.slip(0.1):
		made["key"] = "absent"
	case d.slip(0.1):
		made["key"] = "not-pem"
	}
	if d.chance(0.3) {
		made["optional"] = next(d, "optional", true, false)
	}
	return made
}
