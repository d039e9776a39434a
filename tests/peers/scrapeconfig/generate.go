package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A field of a generated map: what it may hold, and how often it is there.
type field struct {
	name   string
	chance float64
	value  func(*generator) string
}

// generator writes YAML in flow style. Scalars are written as people write
// them, so that plain and quoted forms of all kinds occur.
type generator struct{ *rand.Rand }

// What stands now and then where something else should.
var misfits = []string{
	"null", "~", "yes", "Off", "y", "010", "08", "0x1F", "1_000", "1.5", "1.0", "1e6", "-1", "-0.5", ".5", ".inf",
	"''", "' '", "'yes'", "'15'", "text", "2020-01-01", "[]", "{}", "[a]", "{a: b}", "[null]", "!!str 15", "\"é\"",
	"18446744073709551615", "9223372036854775808", "\"\\u0000\"", "'{'",
}

func (g *generator) pick(values ...string) string { return values[g.IntN(len(values))] }

func (g *generator) scalar(values ...string) string {
	if g.Float64() < 0.004 {
		return g.pick(misfits...)
	}
	return g.pick(values...)
}

func scalar(values ...string) func(*generator) string {
	return func(g *generator) string { return g.scalar(values...) }
}

func list(most int, entry func(*generator) string) func(*generator) string {
	return func(g *generator) string {
		if g.Float64() < 0.004 {
			return g.pick(misfits...)
		}
		entries := make([]string, g.IntN(most+1))
		for at := range entries {
			entries[at] = entry(g)
		}
		return "[" + strings.Join(entries, ", ") + "]"
	}
}

func object(fields ...field) func(*generator) string {
	return func(g *generator) string {
		if g.Float64() < 0.004 {
			return g.pick(misfits...)
		}
		var written []string
		for _, field := range fields {
			if g.Float64() < field.chance {
				written = append(written, field.name+": "+field.value(g))
			}
		}
		if g.Float64() < 0.002 {
			written = append(written, g.pick("unknown: 1", "a.b: c", "Role: pod"))
		}
		g.Shuffle(len(written), func(i, j int) { written[i], written[j] = written[j], written[i] })
		return "{" + strings.Join(written, ", ") + "}"
	}
}

// notEmpty leaves out what Prometheus tells from an absent value only by printing
// it, as `”`, `{}` or null.
func notEmpty(value func(*generator) string) func(*generator) string {
	return func(g *generator) string {
		for {
			switch written := value(g); written {
			case "{}", "''", "null", "~":
			default:
				return written
			}
		}
	}
}

func entries(most int, names []string, value func(*generator) string) func(*generator) string {
	return func(g *generator) string {
		var fields []field
		for at, name := range names {
			if at < most {
				fields = append(fields, field{name, 0.5, value})
			}
		}
		return object(fields...)(g)
	}
}

var (
	boolean      = scalar("true", "false", "true", "false", "yes", "off", "On", "TRUE")
	text         = scalar("text", "'quoted'", "\"double\"", "15", "true", "''", "$(SHARD)", "${NAME}", "a b", "0x1F")
	secret       = scalar("hunter2", "'p:w'", "12345", "''")
	listedSecret = notEmpty(scalar("hunter2", "'p:w'", "12345"))
	path         = scalar("/a/b", "relative/file", "''")
	count        = scalar("0", "1", "10", "1000", "1e3", "1.7", "0x10", "'5'")
	duration     = scalar("0", "5s", "15s", "30s", "1m", "1m30s", "90s", "2m", "1h", "1d", "500ms", "1w", "0s", "15", "1.5s", "''")
	size         = scalar("0", "10MB", "1KiB512B", "1.5GiB", "100B", "1GB", "10", "1kB")
	protocols    = list(4, scalar("PrometheusProto", "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"))
	schemes      = scalar("utf8", "legacy", "utf8", "legacy", "''", "other")
	escapings    = scalar("allow-utf-8", "underscores", "dots", "values", "''", "other")
	url          = notEmpty(scalar("http://proxy:3128", "HTTPS://Proxy/a b", "http://user:hunter2@proxy", "socks5://u@h:1", "proxy:80",
		"'http://[::1]:80/x?y#z'", "http://a/%2f%41", "'http://a:b'", "'http://a/%zz'", "http://é/é", "//host"))
	tlsVersion = scalar("TLS10", "TLS11", "TLS12", "TLS13", "TLS12", "''", "SSL3")
	labelNames = []string{"a", "__address__", "env", "é", "1", "yes", "a-b", "app.kubernetes.io/name"}
)

var tls = object(
	field{"ca", 0.2, text}, field{"cert", 0.3, scalar("PEM")}, field{"key", 0.3, secret},
	field{"ca_file", 0.1, path}, field{"cert_file", 0.03, path}, field{"key_file", 0.03, path},
	field{"ca_ref", 0.03, text}, field{"cert_ref", 0.03, text}, field{"key_ref", 0.03, text},
	field{"server_name", 0.2, text}, field{"insecure_skip_verify", 0.4, boolean},
	field{"min_version", 0.1, tlsVersion}, field{"max_version", 0.1, tlsVersion},
)

func proxy(chance float64) []field {
	return []field{
		{"proxy_url", chance, url}, {"no_proxy", chance / 5, text}, {"proxy_from_environment", chance / 5, boolean},
		{"proxy_connect_header", chance / 5, notEmpty(entries(2, []string{"X-A", "b"}, list(2, listedSecret)))},
	}
}

var oauth2 = object(append([]field{
	{"client_id", 0.97, scalar("id", "id", "id", "15", "''")}, {"client_secret", 0.5, secret},
	{"client_secret_file", 0.1, path}, {"client_secret_ref", 0.05, text}, {"client_certificate_key_id", 0.1, text},
	{"client_certificate_key", 0.1, secret}, {"client_certificate_key_file", 0.05, path},
	{"client_certificate_key_ref", 0.05, text},
	{"grant_type", 0.3, scalar("client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "''")},
	{"signature_algorithm", 0.2, scalar("RS256", "RS384", "RS512", "ES256")}, {"iss", 0.1, text}, {"audience", 0.1, text},
	{"claims", 0.2, object(field{"a", 0.5, text}, field{"b", 0.5, count}, field{"c", 0.3, list(2, count)},
		field{"d", 0.3, object(field{"e", 0.8, scalar("1.0", "null", "text", "1.5")})})},
	{"scopes", 0.3, list(3, text)}, {"token_url", 0.97, scalar("http://token", "http://token", "''")},
	{"endpoint_params", 0.2, entries(3, []string{"a", "b", "1"}, text)}, {"tls_config", 0.2, tls},
}, proxy(0.1)...)...)

func httpClient(chance float64) []field {
	return append([]field{
		{"basic_auth", chance, object(field{"username", 0.8, text}, field{"username_file", 0.05, path},
			field{"username_ref", 0.05, text}, field{"password", 0.6, secret}, field{"password_file", 0.1, path},
			field{"password_ref", 0.05, text})},
		{"authorization", chance, object(
			field{"type", 0.4, scalar("Bearer", "' Token '", "''", "Basic", "Digest", "15")},
			field{"credentials", 0.6, secret}, field{"credentials_file", 0.2, path}, field{"credentials_ref", 0.1, text})},
		{"oauth2", chance, oauth2}, {"bearer_token", chance / 3, secret}, {"bearer_token_file", chance / 3, path},
		{"tls_config", chance * 2, tls}, {"follow_redirects", chance, boolean}, {"enable_http2", chance, boolean},
		{"http_headers", chance / 2, func(g *generator) string {
			name := g.pick("X-One", "x-two", "15", "user-agent", "X-Three", "X-Four", "X-Five")
			return "{" + name + ": " + object(field{"values", 0.6, list(2, text)}, field{"secrets", 0.5, list(2, listedSecret)},
				field{"files", 0.2, list(2, path)})(g) + "}"
		}},
	}, proxy(chance/2)...)
}

var relabelRule = object(
	field{"source_labels", 0.6, list(3, func(g *generator) string {
		return g.pick("a", "__address__", "__meta_kubernetes_pod_name", "é", "15", "1.5", "yes", "a", "__address__", "b", "[a]", "''")
	})},
	field{"separator", 0.15, scalar(";", "'|'", "''", "1")},
	field{"regex", 0.5, scalar("(.*)", "'a|b'", "''", "15", "1.0", "yes", "(.+)-(.*)", "__meta_(.+)", "'('", "'[a'", "'(?i)x'", "'a{2}'", "'\\d+'", "'(?=a)'")},
	field{"modulus", 0.15, scalar("3", "0", "18446744073709551615", "1e3")},
	field{"target_label", 0.6, scalar("job", "instance", "a-b", "é", "__tmp_x", "${1}", "label_$1", "15", "''", "1a")},
	field{"replacement", 0.3, scalar("$1", "'${1}:80'", "''", "010", "yes", "1.0", "text", "label_$1")},
	field{"action", 0.7, scalar("replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase",
		"uppercase", "keepequal", "dropequal", "Replace", "KEEP", "unknown")},
)

var role = scalar("pod", "service", "endpoints", "endpointslice", "node", "ingress", "pod", "endpoints")

var discoveries = []field{
	{"kubernetes_sd_configs", 0.35, list(2, object(append([]field{
		{"role", 0.98, role}, {"api_server", 0.15, url}, {"kubeconfig_file", 0.05, path},
		{"namespaces", 0.3, object(field{"own_namespace", 0.3, boolean}, field{"names", 0.7, list(3, text)})},
		{"selectors", 0.3, list(2, object(field{"role", 0.98, role},
			field{"label", 0.6, scalar("app=web", "'app in (a,b),!x'", "a b", "'x>1'", "''", "a/b/c", "'a=='", "15")},
			field{"field", 0.4, scalar("metadata.name=a", "'spec.nodeName!=b,c=d'", "nothing", "''", "'a=b=c'")}))},
		{"attach_metadata", 0.2, object(field{"node", 0.6, boolean}, field{"namespace", 0.4, boolean},
			field{"deployment", 0.2, boolean}, field{"job", 0.2, boolean}, field{"cronjob", 0.2, boolean})},
	}, httpClient(0.02)...)...))},
	{"static_configs", 0.4, list(3, object(
		field{"targets", 0.9, list(3, scalar("a:80", "'b:443'", "15", "http://c/metrics", "'[::1]:80'", "é", "''"))},
		field{"labels", 0.5, entries(8, labelNames, text)}))},
	{"http_sd_configs", 0.15, list(2, object(append([]field{
		{"url", 0.97, scalar("http://sd/targets", "'https://sd:8443/x?y=z'", "HTTP://SD", "ftp://sd", "http://", "sd", "'http://sd/%zz'")},
		{"refresh_interval", 0.4, duration}}, httpClient(0.05)...)...))},
	{"dns_sd_configs", 0.15, list(2, object(field{"names", 0.97, list(3, text)}, field{"type", 0.6, scalar("SRV", "A", "aaaa", "MX", "ns", "TXT")},
		field{"port", 0.7, scalar("80", "0", "9100", "1e3", "-1")}, field{"refresh_interval", 0.3, duration}))},
	{"ec2_sd_configs", 0.15, list(2, object(append([]field{
		{"endpoint", 0.2, text}, {"region", 0.7, text}, {"access_key", 0.2, text}, {"secret_key", 0.2, secret},
		{"profile", 0.1, text}, {"role_arn", 0.1, text}, {"external_id", 0.1, text}, {"port", 0.4, count},
		{"refresh_interval", 0.3, duration},
		{"filters", 0.3, list(2, object(field{"name", 0.9, text}, field{"values", 0.97, list(3, text)}))},
	}, httpClient(0.03)...)...))},
	{"file_sd_configs", 0.15, list(2, object(
		field{"files", 0.97, list(3, scalar("a.json", "'b/*.yml'", "'*.yaml'", "c.YAML", "d.txt", "'*/e.json'", "'f*.json'", "'**.json'"))},
		field{"refresh_interval", 0.3, duration}))},
	{"consul_sd_configs", 0.02, list(1, object(field{"server", 1, text}))},
}

var scrapeConfig = append(append([]field{
	{"honor_labels", 0.2, boolean}, {"honor_timestamps", 0.2, boolean}, {"track_timestamps_staleness", 0.1, boolean},
	{"params", 0.2, entries(3, []string{"module", "target", "1"}, list(2, text))},
	{"scrape_interval", 0.4, duration}, {"scrape_timeout", 0.2, duration}, {"scrape_protocols", 0.15, protocols},
	{"fallback_scrape_protocol", 0.1, scalar("PrometheusText0.0.4", "PrometheusProto", "''", "Other")},
	{"scrape_native_histograms", 0.1, boolean}, {"always_scrape_classic_histograms", 0.1, boolean},
	{"convert_classic_histograms_to_nhcb", 0.1, boolean}, {"scrape_failure_log_file", 0.05, path},
	{"metrics_path", 0.2, scalar("/metrics", "/probe", "''", "15")}, {"scheme", 0.2, scalar("http", "https", "''", "ftp")},
	{"enable_compression", 0.1, boolean}, {"body_size_limit", 0.1, size}, {"sample_limit", 0.1, count},
	{"target_limit", 0.1, count}, {"label_limit", 0.1, count}, {"label_name_length_limit", 0.1, count},
	{"label_value_length_limit", 0.1, count}, {"native_histogram_bucket_limit", 0.1, count},
	{"native_histogram_min_bucket_factor", 0.1, scalar("1.1", "0", "2", "1e-7", "1.0")}, {"keep_dropped_targets", 0.1, count},
	{"metric_name_validation_scheme", 0.1, schemes}, {"metric_name_escaping_scheme", 0.1, escapings},
	{"extra_scrape_metrics", 0.1, boolean},
	{"relabel_configs", 0.25, list(2, relabelRule)}, {"metric_relabel_configs", 0.15, list(2, relabelRule)},
}, httpClient(0.08)...), discoveries...)

var globals = object(
	field{"scrape_interval", 0.4, duration}, field{"scrape_timeout", 0.2, duration}, field{"scrape_protocols", 0.1, protocols},
	field{"evaluation_interval", 0.2, duration}, field{"rule_query_offset", 0.1, duration}, field{"query_log_file", 0.1, path},
	field{"scrape_failure_log_file", 0.1, path}, field{"external_labels", 0.1, entries(3, labelNames, text)},
	field{"body_size_limit", 0.1, size}, field{"sample_limit", 0.1, count}, field{"target_limit", 0.1, count},
	field{"label_limit", 0.1, count}, field{"label_name_length_limit", 0.1, count}, field{"label_value_length_limit", 0.1, count},
	field{"keep_dropped_targets", 0.1, count}, field{"metric_name_validation_scheme", 0.15, schemes},
	field{"metric_name_escaping_scheme", 0.15, escapings}, field{"scrape_native_histograms", 0.1, boolean},
	field{"convert_classic_histograms_to_nhcb", 0.1, boolean}, field{"always_scrape_classic_histograms", 0.1, boolean},
	field{"extra_scrape_metrics", 0.1, boolean},
)

// generate writes one document with one job: of several, Prometheus tells only
// the first refusal.
func generate(seed, number uint64) string {
	g := &generator{rand.New(rand.NewPCG(seed, number))}
	fields := append([]field{{"job_name", 0.99, scalar("job", "job", "'a/b c'", "15", "yes", "é")}}, scrapeConfig...)
	// Few fields at a time, or hardly a document would be accepted.
	share := 0.1 + g.Float64()*0.9
	for at := range fields[1:] {
		fields[at+1].chance *= share
	}
	var parts []string
	if g.Float64() < 0.3 {
		parts = append(parts, "global: "+globals(g))
	}
	if g.Float64() < 0.05 {
		parts = append(parts, fmt.Sprintf("%s: %s", g.pick("rule_files", "remote_write", "unknown"), g.pick("[]", "null")))
	}
	if g.Float64() < 0.05 {
		parts = append(parts, "scrape_configs: [{<<: &base {scheme: https, sample_limit: 5}, job_name: base}, {<<: *base, job_name: "+
			g.pick("a", "base", "010")+"}]")
	} else {
		parts = append(parts, "scrape_configs: ["+object(fields...)(g)+"]")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
