package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/blang/semver/v4"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/client/versioned"
	"github.com/prometheus-operator/prometheus-operator/pkg/informers"
	"github.com/prometheus-operator/prometheus-operator/pkg/listwatch"
	"github.com/prometheus-operator/prometheus-operator/pkg/operator"
	"github.com/prometheus-operator/prometheus-operator/pkg/prometheus"
	prometheusclient "github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/install" // every kind of service discovery can be parsed
	"go.yaml.in/yaml/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// makeScrapeConfigs runs prometheus-operator's selector and generator and
// Prometheus' parser. Refused is a monitor that the selector refuses, or a job
// that the parser refuses, with the reason; the allocator would load nothing at
// all because of the latter, which nobody can want.
func makeScrapeConfigs(ctx context.Context, config *rest.Config, settings *settings) ([]*promconfig.ScrapeConfig, map[string]string, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	selection, err := newSelection(ctx, config, client, settings)
	if err != nil {
		return nil, nil, err
	}
	defer close(selection.stop)

	refused := map[string]string{}
	serviceMonitors, err := choose(ctx, selection, refused, "serviceMonitor", "servicemonitors", selection.selector.SelectServiceMonitors)
	if err != nil {
		return nil, nil, err
	}
	podMonitors, err := choose(ctx, selection, refused, "podMonitor", "podmonitors", selection.selector.SelectPodMonitors)
	if err != nil {
		return nil, nil, err
	}
	probes, err := choose(ctx, selection, refused, "probe", "probes", selection.selector.SelectProbes)
	if err != nil {
		return nil, nil, err
	}
	scrapeConfigs, err := choose(ctx, selection, refused, "scrapeConfig", "scrapeconfigs", selection.selector.SelectScrapeConfigs)
	if err != nil {
		return nil, nil, err
	}

	generator, err := prometheus.NewConfigGenerator(selection.logger, selection.prometheus, prometheus.WithEndpointSliceSupport(), prometheus.WithInlineTLSConfig())
	if err != nil {
		return nil, nil, err
	}
	generated, err := generator.GenerateServerConfiguration(selection.prometheus, serviceMonitors, podMonitors, probes, scrapeConfigs, selection.store, nil, nil, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := parseEach(generated, refused)
	return parsed, refused, err
}

// selection is the operator's selector and what it reads from.
type selection struct {
	logger     *slog.Logger
	prometheus *monitoringv1.Prometheus
	store      *assets.StoreBuilder
	informers  informers.FactoriesForNamespaces
	selector   *prometheus.ResourceSelector
	stop       chan struct{}
}

func newSelection(ctx context.Context, config *rest.Config, client kubernetes.Interface, settings *settings) (*selection, error) {
	cr := &settings.PrometheusCR
	monitoringClient, err := monitoring.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	made := &selection{
		// The operator logs every monitor that it refuses, which refused.json says.
		logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		prometheus: &monitoringv1.Prometheus{
			ObjectMeta: metav1.ObjectMeta{Namespace: settings.CollectorNamespace},
			Spec: monitoringv1.PrometheusSpec{
				CommonPrometheusFields: monitoringv1.CommonPrometheusFields{
					ScrapeInterval:                  monitoringv1.Duration(cr.ScrapeInterval.String()),
					ServiceMonitorSelector:          cr.ServiceMonitorSelector,
					ServiceMonitorNamespaceSelector: cr.ServiceMonitorNamespaceSelector,
					PodMonitorSelector:              cr.PodMonitorSelector,
					PodMonitorNamespaceSelector:     cr.PodMonitorNamespaceSelector,
					ProbeSelector:                   cr.ProbeSelector,
					ProbeNamespaceSelector:          cr.ProbeNamespaceSelector,
					ScrapeConfigSelector:            cr.ScrapeConfigSelector,
					ScrapeConfigNamespaceSelector:   cr.ScrapeConfigNamespaceSelector,
					ScrapeProtocols:                 cr.ScrapeProtocols,
					ScrapeClasses:                   cr.ScrapeClasses,
					ArbitraryFSAccessThroughSMs:     monitoringv1.ArbitraryFSAccessThroughSMsConfig{Deny: cr.DenyFSAccess},
				},
				EvaluationInterval: monitoringv1.Duration(cr.EvaluationInterval.String()),
			},
		},
		store: assets.NewStoreBuilder(client.CoreV1(), client.CoreV1()),
		stop:  make(chan struct{}),
	}
	cr.set(&made.prometheus.Spec.CommonPrometheusFields)
	allowed, denied := cr.namespaceSets()
	made.informers = informers.NewMonitoringInformerFactories(allowed, denied, monitoringClient, 0, nil)
	namespaces, err := startNamespaceInformer(ctx, client, made, allowed, denied)
	if err != nil {
		return nil, err
	}
	made.selector, err = prometheus.NewResourceSelector(
		made.logger,
		made.prometheus,
		made.store,
		namespaces,
		operator.NewMetrics(prometheusclient.NewRegistry()),
		operator.NewEventRecorderFactory(false)(client, "record")(made.prometheus),
	)
	return made, err
}

func startNamespaceInformer(ctx context.Context, client kubernetes.Interface, made *selection, allowed, denied map[string]struct{}) (cache.SharedIndexInformer, error) {
	info, err := client.Discovery().ServerVersion()
	if err != nil {
		return nil, err
	}
	version, err := semver.ParseTolerant(info.String())
	if err != nil {
		return nil, err
	}
	listWatch, _, err := listwatch.NewNamespaceListWatchFromClient(
		ctx, made.logger, version, client.CoreV1(), client.AuthorizationV1().SelfSubjectAccessReviews(), allowed, denied)
	if err != nil {
		return nil, err
	}
	informer := cache.NewSharedIndexInformer(listWatch, &corev1.Namespace{}, 0, cache.Indexers{})
	go informer.Run(made.stop)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, fmt.Errorf("listing namespaces: %w", ctx.Err())
	}
	return informer, nil
}

// choose selects the valid monitors of one kind, and adds the others to refused
// under the prefix that their jobs would have.
func choose[T operator.ConfigurationResource](
	ctx context.Context,
	from *selection,
	refused map[string]string,
	prefix, resource string,
	selectAll func(context.Context, prometheus.ListAllByNamespaceFn) (operator.TypedResourcesSelection[T], error),
) (map[string]T, error) {
	version := monitoringv1.SchemeGroupVersion
	if resource == monitoringv1alpha1.ScrapeConfigName {
		version = monitoringv1alpha1.SchemeGroupVersion
	}
	informer, err := informers.NewInformersForResource(from.informers, schema.GroupVersionResource(version.WithResource(resource)))
	if err != nil {
		return nil, err
	}
	informer.Start(from.stop)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, fmt.Errorf("listing %s: %w", resource, ctx.Err())
	}
	selected, err := selectAll(ctx, informer.ListAllByNamespace)
	if err != nil {
		return nil, fmt.Errorf("selecting %s: %w", resource, err)
	}
	for name, monitor := range selected {
		for _, condition := range monitor.Conditions() {
			if condition.Status == monitoringv1.ConditionFalse {
				refused[prefix+"/"+name] = condition.Message
			}
		}
	}
	return selected.ValidResources(), nil
}

// parseEach parses each scrape config of a Prometheus configuration by itself,
// with the configuration's global section.
func parseEach(configuration []byte, refused map[string]string) ([]*promconfig.ScrapeConfig, error) {
	type document struct {
		Global        yaml.MapSlice   `yaml:"global"`
		ScrapeConfigs []yaml.MapSlice `yaml:"scrape_configs"`
	}
	var whole document
	if err := yaml.Unmarshal(configuration, &whole); err != nil {
		return nil, err
	}
	var parsed []*promconfig.ScrapeConfig
	for _, scrapeConfig := range whole.ScrapeConfigs {
		text, err := yaml.Marshal(document{whole.Global, []yaml.MapSlice{scrapeConfig}})
		if err != nil {
			return nil, err
		}
		var one promconfig.Config
		if err := yaml.Unmarshal(text, &one); err != nil {
			refused[jobName(scrapeConfig)] = err.Error()
			continue
		}
		parsed = append(parsed, one.ScrapeConfigs...)
	}
	return parsed, nil
}

func jobName(scrapeConfig yaml.MapSlice) string {
	for _, field := range scrapeConfig {
		if field.Key == "job_name" {
			return fmt.Sprint(field.Value)
		}
	}
	return ""
}
