package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// settings makes the settings of an allocator with the scrape classes that
// monitors name.
func settings(random *rand.Rand) string {
	var text strings.Builder
	text.WriteString(`collector_namespace: monitoring
prometheus_cr:
  enabled: true
  deny_fs_access_through_sms: false
  service_monitor_selector: {}
  pod_monitor_selector: {}
  probe_selector: {}
  scrape_config_selector: {}
`)
	text.WriteString(pick(random, "", "  scrape_interval: 30s\n", "  scrape_interval: 1m\n", "  scrape_interval: 15s\n"))
	text.WriteString(pick(random, "", "  scrape_protocols: [PrometheusProto, PrometheusText1.0.0]\n"))
	text.WriteString("  scrape_classes:\n")
	fields := []string{
		"fallbackScrapeProtocol: PrometheusText0.0.4",
		"relabelings: [{targetLabel: class, replacement: labelled}]",
		"metricRelabelings: [{action: drop, sourceLabels: [__name__], regex: go_.+}]",
		"attachMetadata: {node: true}",
		pick(random, "tlsConfig: {caFile: /etc/mesh/ca.pem, certFile: /etc/mesh/cert.pem, keyFile: /etc/mesh/key.pem}",
			"tlsConfig: {insecureSkipVerify: true, serverName: mesh.example}"),
	}
	// Monitors that authenticate in another way are refused under a class that does.
	authorization := pick(random, "authorization: {credentialsFile: /etc/mesh/token}",
		"authorization: {type: Mesh, credentials: {name: credentials, key: token}}")
	for i, name := range []string{"mesh", "labelled", "plain"} {
		fmt.Fprintf(&text, "    - name: %s\n", name)
		if i == 0 && random.IntN(2) == 0 {
			text.WriteString("      default: true\n")
		}
		for _, field := range fields {
			if random.IntN(2) == 0 {
				fmt.Fprintf(&text, "      %s\n", field)
			}
		}
		if name == "labelled" {
			fmt.Fprintf(&text, "      %s\n", authorization)
		}
	}
	return text.String()
}

// prometheusFields makes keys of prometheus_cr that are fields of a Prometheus
// object.
func prometheusFields(random *rand.Rand, count int) string {
	var text strings.Builder
	key := func(name string, values ...string) {
		if random.IntN(2) == 0 {
			fmt.Fprintf(&text, "  %s: %s\n", name, pick(random, values...))
		}
	}
	// The shortest interval of settings is 15s.
	key("scrape_timeout", "0s", "500ms", "5s", "10s", "12s", "15s")
	key("override_honor_labels", "true", "true", "false")
	key("override_honor_timestamps", "true", "true", "false")
	key("ignore_namespace_selectors", "true", "true", "false")
	key("pod_target_labels", "[]", "[team]", "[app.kubernetes.io/name, team, 1st]")
	key("service_discovery_role", "Endpoints", "EndpointSlice")
	key("enforced_namespace_label", "namespace", "namespace", "tenant", "k8s.namespace", `""`)
	key("excluded_from_enforcement", excluded(random, count), excluded(random, count), "[]")
	// Monitors have limits of 0, 1, 100, 5000, and very large ones.
	for _, limit := range []string{
		"sample_limit", "target_limit", "label_limit", "label_name_length_limit", "label_value_length_limit", "keep_dropped_targets",
	} {
		key(limit, "0", "1", "50", "5000", "9007199254740992")
		key("enforced_"+limit, "0", "1", "50", "101", "1000000")
	}
	key("body_size_limit", `"0"`, "1KB", "10MiB", "1.5GB")
	key("enforced_body_size_limit", `""`, `"0"`, "512B", "5MB", "2GiB")
	return text.String()
}

// excluded makes a list of monitors, and of kinds in a namespace.
func excluded(random *rand.Rand, count int) string {
	var entries []string
	for range 1 + random.IntN(20) {
		// As in write, the number of a monitor says its kind.
		number := random.IntN(max(count, 1))
		resource := []string{"servicemonitors", "podmonitors", "probes", "scrapeconfigs"}[number%4]
		if random.IntN(10) == 0 {
			resource = "prometheusrules"
		}
		fields := []string{"resource: " + resource, "namespace: " + pick(random, append(namespaces, "absent")...)}
		if random.IntN(2) == 0 {
			fields = append(fields, "group: monitoring.coreos.com")
		}
		if random.IntN(10) > 0 {
			fields = append(fields, fmt.Sprintf("name: m-%06d", number))
		}
		entries = append(entries, "{"+strings.Join(fields, ", ")+"}")
	}
	return "[" + strings.Join(entries, ", ") + "]"
}
