package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// settings is the part of a targetallocator.yaml that decides what is served.
type settings struct {
	CollectorNamespace           string                `json:"collector_namespace"`
	CollectorSelector            *metav1.LabelSelector `json:"collector_selector"`
	CollectorNotReadyGracePeriod duration              `json:"collector_not_ready_grace_period"`
	AllocationStrategy           string                `json:"allocation_strategy"`
	AllocationFallbackStrategy   string                `json:"allocation_fallback_strategy"`
	FilterStrategy               string                `json:"filter_strategy"`
	PrometheusCR                 prometheusCR          `json:"prometheus_cr"`
}

type prometheusCR struct {
	Enabled                         bool                          `json:"enabled"`
	AllowNamespaces                 []string                      `json:"allow_namespaces"`
	DenyNamespaces                  []string                      `json:"deny_namespaces"`
	ServiceMonitorSelector          *metav1.LabelSelector         `json:"service_monitor_selector"`
	ServiceMonitorNamespaceSelector *metav1.LabelSelector         `json:"service_monitor_namespace_selector"`
	PodMonitorSelector              *metav1.LabelSelector         `json:"pod_monitor_selector"`
	PodMonitorNamespaceSelector     *metav1.LabelSelector         `json:"pod_monitor_namespace_selector"`
	ProbeSelector                   *metav1.LabelSelector         `json:"probe_selector"`
	ProbeNamespaceSelector          *metav1.LabelSelector         `json:"probe_namespace_selector"`
	ScrapeConfigSelector            *metav1.LabelSelector         `json:"scrape_config_selector"`
	ScrapeConfigNamespaceSelector   *metav1.LabelSelector         `json:"scrape_config_namespace_selector"`
	ScrapeInterval                  duration                      `json:"scrape_interval"`
	EvaluationInterval              duration                      `json:"evaluation_interval"`
	ScrapeProtocols                 []monitoringv1.ScrapeProtocol `json:"scrape_protocols"`
	ScrapeClasses                   []monitoringv1.ScrapeClass    `json:"scrape_classes"`
	DenyFSAccess                    bool                          `json:"deny_fs_access_through_sms"`

	prometheusFields
}

// prometheusFields are the keys that are fields of a Prometheus object.
type prometheusFields struct {
	ScrapeTimeout                 *duration                          `json:"scrape_timeout"`
	OverrideHonorLabels           bool                               `json:"override_honor_labels"`
	OverrideHonorTimestamps       bool                               `json:"override_honor_timestamps"`
	IgnoreNamespaceSelectors      bool                               `json:"ignore_namespace_selectors"`
	PodTargetLabels               []string                           `json:"pod_target_labels"`
	ServiceDiscoveryRole          *monitoringv1.ServiceDiscoveryRole `json:"service_discovery_role"`
	EnforcedNamespaceLabel        string                             `json:"enforced_namespace_label"`
	ExcludedFromEnforcement       []monitoringv1.ObjectReference     `json:"excluded_from_enforcement"`
	SampleLimit                   *int64                             `json:"sample_limit"`
	TargetLimit                   *int64                             `json:"target_limit"`
	LabelLimit                    *int64                             `json:"label_limit"`
	LabelNameLengthLimit          *int64                             `json:"label_name_length_limit"`
	LabelValueLengthLimit         *int64                             `json:"label_value_length_limit"`
	KeepDroppedTargets            *int64                             `json:"keep_dropped_targets"`
	BodySizeLimit                 *monitoringv1.ByteSize             `json:"body_size_limit"`
	EnforcedSampleLimit           *int64                             `json:"enforced_sample_limit"`
	EnforcedTargetLimit           *int64                             `json:"enforced_target_limit"`
	EnforcedLabelLimit            *int64                             `json:"enforced_label_limit"`
	EnforcedLabelNameLengthLimit  *int64                             `json:"enforced_label_name_length_limit"`
	EnforcedLabelValueLengthLimit *int64                             `json:"enforced_label_value_length_limit"`
	EnforcedKeepDroppedTargets    *int64                             `json:"enforced_keep_dropped_targets"`
	EnforcedBodySizeLimit         monitoringv1.ByteSize              `json:"enforced_body_size_limit"`
}

// set writes the fields to a Prometheus object.
func (p *prometheusFields) set(object *monitoringv1.CommonPrometheusFields) {
	if p.ScrapeTimeout != nil {
		object.ScrapeTimeout = monitoringv1.Duration(p.ScrapeTimeout.String())
	}
	role := monitoringv1.EndpointSliceRole // the allocator's own choice
	if p.ServiceDiscoveryRole != nil {
		role = *p.ServiceDiscoveryRole
	}
	object.ServiceDiscoveryRole = &role
	object.OverrideHonorLabels = p.OverrideHonorLabels
	object.OverrideHonorTimestamps = p.OverrideHonorTimestamps
	object.IgnoreNamespaceSelectors = p.IgnoreNamespaceSelectors
	object.PodTargetLabels = p.PodTargetLabels
	object.EnforcedNamespaceLabel = p.EnforcedNamespaceLabel
	object.ExcludedFromEnforcement = p.ExcludedFromEnforcement
	object.SampleLimit = p.SampleLimit
	object.TargetLimit = p.TargetLimit
	object.LabelLimit = p.LabelLimit
	object.LabelNameLengthLimit = p.LabelNameLengthLimit
	object.LabelValueLengthLimit = p.LabelValueLengthLimit
	object.KeepDroppedTargets = p.KeepDroppedTargets
	object.BodySizeLimit = p.BodySizeLimit
	object.EnforcedSampleLimit = p.EnforcedSampleLimit
	object.EnforcedTargetLimit = p.EnforcedTargetLimit
	object.EnforcedLabelLimit = p.EnforcedLabelLimit
	object.EnforcedLabelNameLengthLimit = p.EnforcedLabelNameLengthLimit
	object.EnforcedLabelValueLengthLimit = p.EnforcedLabelValueLengthLimit
	object.EnforcedKeepDroppedTargets = p.EnforcedKeepDroppedTargets
	object.EnforcedBodySizeLimit = p.EnforcedBodySizeLimit
}

// duration is a Prometheus duration written as Go writes them, which is how
// the allocator reads its durations.
type duration struct{ model.Duration }

func (d *duration) UnmarshalJSON(text []byte) error {
	var value string
	if err := yaml.Unmarshal(text, &value); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(value)
	d.Duration = model.Duration(parsed)
	return err
}

const (
	consistentHashing = "consistent-hashing"
	perNode           = "per-node"
	relabelConfig     = "relabel-config"
)

// loadSettings reads a targetallocator.yaml over the allocator's defaults. A
// key that it does not know is an error.
func loadSettings(path string) (*settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	loaded := &settings{
		CollectorNotReadyGracePeriod: duration{model.Duration(30 * time.Second)},
		AllocationStrategy:           consistentHashing,
		FilterStrategy:               relabelConfig,
		PrometheusCR: prometheusCR{
			ServiceMonitorNamespaceSelector: &metav1.LabelSelector{},
			PodMonitorNamespaceSelector:     &metav1.LabelSelector{},
			ProbeNamespaceSelector:          &metav1.LabelSelector{},
			ScrapeConfigNamespaceSelector:   &metav1.LabelSelector{},
			ScrapeInterval:                  duration{model.Duration(30 * time.Second)},
			ScrapeProtocols: []monitoringv1.ScrapeProtocol{
				monitoringv1.OpenMetricsText1_0_0,
				monitoringv1.OpenMetricsText0_0_1,
				monitoringv1.PrometheusText1_0_0,
				monitoringv1.PrometheusText0_0_4,
			},
		},
	}
	if err := yaml.UnmarshalStrict(text, loaded); err != nil {
		return nil, err
	}
	if !loaded.PrometheusCR.Enabled || loaded.CollectorNamespace == "" {
		return nil, fmt.Errorf("needs prometheus_cr.enabled and collector_namespace")
	}
	if !slices.Contains([]string{consistentHashing, perNode}, loaded.AllocationStrategy) {
		return nil, fmt.Errorf("allocation_strategy cannot be recorded: %s", loaded.AllocationStrategy)
	}
	if !slices.Contains([]string{"", consistentHashing}, loaded.AllocationFallbackStrategy) {
		return nil, fmt.Errorf("allocation_fallback_strategy cannot be recorded: %s", loaded.AllocationFallbackStrategy)
	}
	return loaded, nil
}

// namespaceSets returns the allowed and the denied namespaces as the operator's
// informers take them.
func (p *prometheusCR) namespaceSets() (allowed, denied map[string]struct{}) {
	allowed, denied = map[string]struct{}{}, map[string]struct{}{}
	for _, namespace := range p.AllowNamespaces {
		allowed[namespace] = struct{}{}
	}
	if len(allowed) == 0 {
		allowed[metav1.NamespaceAll] = struct{}{}
	}
	for _, namespace := range p.DenyNamespaces {
		denied[namespace] = struct{}{}
	}
	return allowed, denied
}
