//go:build operator

// Records how the operator's allocator reads config files: which ones it refuses, and the settings that it starts with.
//
// The allocator is no published module, and its packages are internal. So ../record-configs builds this file inside a
// checkout of the operator.
//
// Input: the texts of the table below. Output: a JSON list on standard output, one entry for each text.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/open-telemetry/opentelemetry-operator/cmd/otel-allocator/internal/allocation"
	"github.com/open-telemetry/opentelemetry-operator/cmd/otel-allocator/internal/config"
	"github.com/open-telemetry/opentelemetry-operator/cmd/otel-allocator/internal/target"
)

// entry is one recorded config. Either Refused or Settings is set.
type entry struct {
	Text     string    `json:"text"`
	Refused  string    `json:"refused,omitempty"`
	Settings *settings `json:"settings,omitempty"`
}

// settings are the settings that decide which targets are served to which collector.
type settings struct {
	Namespace       string             `json:"collector_namespace"`
	Collectors      *string            `json:"collector_selector"`
	GracePeriod     string             `json:"collector_not_ready_grace_period"`
	Strategy        string             `json:"allocation_strategy"`
	Fallback        string             `json:"allocation_fallback_strategy"`
	Filter          bool               `json:"filter"`
	Monitors        bool               `json:"prometheus_cr"`
	Allow           []string           `json:"allow_namespaces"`
	Deny            []string           `json:"deny_namespaces"`
	Selectors       map[string]*string `json:"selectors"`
	ScrapeInterval  string             `json:"scrape_interval"`
	ScrapeProtocols []string           `json:"scrape_protocols"`
	ScrapeClasses   []string           `json:"scrape_classes"`
	DenyFiles       bool               `json:"deny_fs_access_through_sms"`
	Jobs            []string           `json:"jobs"`
}

const (
	allMonitors = "collector_namespace: monitoring\nprometheus_cr: {enabled: true}\n"
	oneJob      = "collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a}]}\n"
)

// odd are values that a key may have by mistake, or because a program wrote the file.
var odd = []string{
	`null`, `""`, `text`, `"text"`, `5`, `"5"`, `5.5`, `-1`, `0`, `010`, `1e3`, `0x1F`, `true`, `"true"`, `yes`, `off`,
	`[]`, `[a]`, `[a, 5, true, null]`, `[[a]]`, `{}`, `{a: b}`, `30s`, `0s`, `-5s`, `1h30m`, `1d`, `500ms`, `2026-01-01`,
}

var selectors = []string{
	`null`, `{}`, `[]`, `""`, `text`, `5`, `true`,
	`{matchLabels: {a: b}}`, `{matchlabels: {a: b}}`, `{matchLabels: {a: b}, matchlabels: {c: d}}`,
	`{matchLabels: {a: 5}}`, `{matchLabels: {a: 5.50}}`, `{matchLabels: {a: true}}`, `{matchLabels: {a: yes}}`,
	`{matchLabels: {a: off}}`, `{matchLabels: {a: 010}}`, `{matchLabels: {a: null}}`, `{matchLabels: {a: ""}}`,
	`{matchLabels: {on: true}}`, `{matchLabels: {5: a}}`, `{matchLabels: {a: 2026-01-01}}`, `{matchLabels: {a: 1e3}}`,
	`{matchLabels: null}`, `{matchLabels: {}}`, `{matchLabels: []}`, `{matchLabels: text}`, `{matchLabels: {a: [b]}}`,
	`{matchLabels: {a: {b: c}}}`, `{matchLabels: {a b: c}}`, `{matchLabels: {a: "b c"}}`, `{matchLabels: {-a: b}}`,
	`{matchLabels: {app.kubernetes.io/name: web}}`, `{matchLabels: {a/b/c: d}}`, `{matchLabels: {A: B}}`,
	`{matchlabel: {a: b}}`, `{match_labels: {a: b}}`, `{MatchLabels: {a: b}}`, `{a: b}`, `{matchExpression: []}`,
	`{matchExpressions: []}`, `{matchExpressions: null}`, `{matchExpressions: {}}`, `{matchExpressions: [null]}`,
	`{matchExpressions: [{key: a, operator: Exists}]}`, `{matchExpressions: [{key: a, operator: DoesNotExist}]}`,
	`{matchExpressions: [{key: a, operator: Exists, values: []}]}`,
	`{matchExpressions: [{key: a, operator: Exists, values: [b]}]}`,
	`{matchExpressions: [{key: a, operator: In, values: [b, c]}]}`,
	`{matchExpressions: [{key: a, operator: In, values: [c, b, b]}]}`,
	`{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}`,
	`{matchExpressions: [{key: a, operator: In, values: [5, true]}]}`,
	`{matchExpressions: [{key: a, operator: In, values: []}]}`, `{matchExpressions: [{key: a, operator: In}]}`,
	`{matchExpressions: [{key: a, operator: In, values: b}]}`, `{matchExpressions: [{key: a, operator: in, values: [b]}]}`,
	`{matchExpressions: [{key: a, operator: Gt, values: [5]}]}`, `{matchExpressions: [{key: a}]}`,
	`{matchExpressions: [{operator: Exists}]}`, `{matchExpressions: [{key: a, operator: Exists, other: 1}]}`,
	`{matchexpressions: [{key: a, operator: Exists}]}`,
	`{matchLabels: {a: b}, matchExpressions: [{key: a, operator: NotIn, values: [b]}]}`,
}

// whole are files that are more than one key.
var whole = []string{
	``, `null`, `{}`, `[]`, `text`, `a: [`, "a: 1\na: 2\n", "---\n" + allMonitors, allMonitors + "---\n" + oneJob,
	allMonitors + "allocation_strategy: per-node\nallocation_strategy: least-weighted\n",
	allMonitors + "unknown_key: 1\n", allMonitors + "Allocation_Strategy: per-node\n", allMonitors + "ALLOCATION_STRATEGY: per-node\n",
	"collector_namespace: monitoring\nprometheus_cr: {enabled: true, scrapeInterval: 5s}\n",
	"collector_namespace: monitoring\nprometheus_cr: {Enabled: true}\n",
	"collector_namespace: monitoring\nprometheus_cr: null\n", "collector_namespace: monitoring\nprometheus_cr: {}\n",
	"prometheus_cr: {enabled: true}\n", "collector_namespace: monitoring\nprometheus_cr: {enabled: false}\n",
	"collector_namespace: monitoring\nconfig: {}\n", "collector_namespace: monitoring\nconfig: null\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: []}\n", oneJob,
	"collector_namespace: monitoring\nprometheus_cr: {enabled: true, allow_namespaces: [a], deny_namespaces: [b]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a}, {job_name: a}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: \"\"}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [null]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, unknown: 1}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, scrape_interval: 5}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 10s}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: 5}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: yes}]}\n",
	"collector_namespace: monitoring\nconfig: {global: {scrape_interval: 15s}, scrape_configs: [{job_name: a}]}\n",
	"collector_namespace: monitoring\nconfig: {unknown: 1, scrape_configs: [{job_name: a}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, static_configs: [{targets: [a:1]}]}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, relabel_configs: [{action: none}]}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, relabel_configs: [{action: drop}]}]}\n",
	"collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a, metrics_path: 5}]}\n",
}

// nested are keys of a section that this program varies as a whole.
var strategies = []string{
	`consistent-hashing`, `least-weighted`, `per-node`, `Consistent-Hashing`, `consistent_hashing`, `round-robin`, `" per-node"`,
}

// configs are all texts: each key with each value that fits it, and the whole files.
func configs() []string {
	texts := append([]string{}, whole...)
	add := func(key string, values []string) {
		section, name, nested := strings.Cut(key, ".")
		for _, value := range values {
			if nested {
				texts = append(texts, fmt.Sprintf("collector_namespace: monitoring\n%s:\n  enabled: true\n  %s: %s\n", section, name, value))
			} else {
				texts = append(texts, fmt.Sprintf("%s%s: %s\n", strings.ReplaceAll(allMonitors, key+":", "ignored:"), key, value))
			}
		}
	}
	for _, key := range []string{
		"listen_addr", "kube_config_file_path", "collector_namespace", "collector_not_ready_grace_period", "allocation_strategy",
		"allocation_fallback_strategy", "filter_strategy", "allow_insecure_auth_secrets", "https", "telemetry", "config",
		"prometheus_cr.allow_namespaces", "prometheus_cr.deny_namespaces", "prometheus_cr.secret_namespaces",
		"prometheus_cr.scrape_interval", "prometheus_cr.evaluation_interval", "prometheus_cr.scrape_protocols",
		"prometheus_cr.scrape_classes", "prometheus_cr.deny_fs_access_through_sms",
	} {
		add(key, odd)
	}
	for _, value := range odd {
		texts = append(texts, "collector_namespace: monitoring\nconfig: {scrape_configs: [{job_name: a}]}\nprometheus_cr: {enabled: "+value+"}\n")
	}
	for _, key := range []string{
		"collector_selector", "prometheus_cr.service_monitor_selector", "prometheus_cr.probe_namespace_selector",
	} {
		add(key, selectors)
	}
	for _, kind := range []string{"service_monitor", "pod_monitor", "probe", "scrape_config"} {
		for _, suffix := range []string{"_selector", "_namespace_selector"} {
			add("prometheus_cr."+kind+suffix, []string{`null`, `{}`, `{matchLabels: {a: b}}`})
		}
	}
	add("allocation_strategy", strategies)
	add("filter_strategy", []string{`relabel-config`, `none`, `Relabel-Config`})
	for _, strategy := range strategies {
		texts = append(texts, allMonitors+"allocation_strategy: per-node\nallocation_fallback_strategy: "+strategy+"\n")
	}
	add("prometheus_cr.scrape_protocols", []string{
		`[PrometheusText0.0.4]`, `[PrometheusProto, OpenMetricsText1.0.0]`, `[Prometheus]`, `[PrometheusText0.0.4, PrometheusText0.0.4]`,
	})
	add("prometheus_cr.scrape_classes", []string{
		`[{name: a}]`, `[{name: a, default: true}]`, `[{name: a, default: true}, {name: b, default: true}]`, `[{name: a}, {name: a}]`,
		`[{}]`, `[{name: ""}]`, `[{name: 5}]`, `[{name: a, unknown: 1}]`, `[{name: a, tlsConfig: {caFile: /a}}]`,
	})
	return texts
}

func load(text, folder string) (*config.Config, error) {
	path := filepath.Join(folder, "targetallocator.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	loaded := config.CreateDefaultConfig()
	// Loading writes into the list of the defaults, which all configs of a process share. The allocator loads only one.
	loaded.PrometheusCR.ScrapeProtocols = slices.Clone(loaded.PrometheusCR.ScrapeProtocols)
	if err := config.LoadFromFile(path, &loaded); err != nil {
		return nil, err
	}
	if err := config.ValidateConfig(&loaded); err != nil {
		return nil, err
	}
	_, err := allocation.New(loaded.AllocationStrategy, logr.Discard(), allocation.WithFallbackStrategy(loaded.AllocationFallbackStrategy))
	return &loaded, err
}

// canonical prints a selector as Kubernetes does. An absent selector stays absent.
func canonical(selector *metav1.LabelSelector) (*string, error) {
	if selector == nil {
		return nil, nil
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	text := parsed.String()
	return &text, nil
}

func settingsOf(loaded *config.Config) (*settings, error) {
	cr := loaded.PrometheusCR
	collectors, err := canonical(loaded.CollectorSelector)
	if err != nil {
		return nil, err
	}
	found := &settings{
		Namespace:      loaded.CollectorNamespace,
		Collectors:     collectors,
		GracePeriod:    loaded.CollectorNotReadyGracePeriod.String(),
		Strategy:       loaded.AllocationStrategy,
		Fallback:       loaded.AllocationFallbackStrategy,
		Filter:         loaded.FilterStrategy == target.RelabelConfigFilterStrategy,
		Monitors:       cr.Enabled,
		Allow:          cr.AllowNamespaces,
		Deny:           cr.DenyNamespaces,
		Selectors:      map[string]*string{},
		ScrapeInterval: time.Duration(cr.ScrapeInterval).String(),
		DenyFiles:      cr.DenyFSAccessThroughSMs,
	}
	for name, selector := range map[string]*metav1.LabelSelector{
		"service_monitor_selector":           cr.ServiceMonitorSelector,
		"service_monitor_namespace_selector": cr.ServiceMonitorNamespaceSelector,
		"pod_monitor_selector":               cr.PodMonitorSelector,
		"pod_monitor_namespace_selector":     cr.PodMonitorNamespaceSelector,
		"probe_selector":                     cr.ProbeSelector,
		"probe_namespace_selector":           cr.ProbeNamespaceSelector,
		"scrape_config_selector":             cr.ScrapeConfigSelector,
		"scrape_config_namespace_selector":   cr.ScrapeConfigNamespaceSelector,
	} {
		if found.Selectors[name], err = canonical(selector); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, protocol := range cr.ScrapeProtocols {
		found.ScrapeProtocols = append(found.ScrapeProtocols, string(protocol))
	}
	for _, class := range cr.ScrapeClasses {
		found.ScrapeClasses = append(found.ScrapeClasses, class.Name)
	}
	if loaded.PromConfig != nil {
		for _, job := range loaded.PromConfig.ScrapeConfigs {
			found.Jobs = append(found.Jobs, job.JobName)
		}
	}
	return found, nil
}

func record(text, folder string) (recorded entry) {
	recorded.Text = text
	defer func() {
		if panicked := recover(); panicked != nil {
			recorded.Refused = fmt.Sprintf("the allocator ends with a panic: %v", panicked)
		}
	}()
	loaded, err := load(text, folder)
	if err == nil {
		recorded.Settings, err = settingsOf(loaded)
	}
	if err != nil {
		recorded.Refused = strings.ReplaceAll(err.Error(), folder+"/", "")
	}
	return recorded
}

func main() {
	folder, err := os.MkdirTemp("", "configs-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	entries := []entry{}
	seen := map[string]bool{}
	for _, text := range configs() {
		if !seen[text] {
			entries = append(entries, record(text, folder))
			seen[text] = true
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(entries); err != nil {
		panic(err)
	}
}
