// Command speed measures Prometheus' own discovery and relabelling on one core.
//
//	speed CLUSTER SCRAPE_CONFIGS
//
// CLUSTER is a List of objects as JSON. SCRAPE_CONFIGS is the function's answer to
// /scrape_configs. As in Prometheus, each job looks through the endpoint slices of its
// namespaces. discovery/kubernetes makes the target groups from informers that already hold the
// objects, and model/relabel applies the rules of the job to each target. The program prints a
// line of JSON: jobs, targets found and kept, and seconds of CPU time.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

type scrapeConfig struct {
	Relabel []*relabel.Config `yaml:"relabel_configs"`
	SD      []struct {
		Role       string `yaml:"role"`
		Namespaces struct {
			Names []string `yaml:"names"`
		} `yaml:"namespaces"`
	} `yaml:"kubernetes_sd_configs"`
}

// objects of one namespace.
type objects struct {
	slices   discoveryv1.EndpointSliceList
	services corev1.ServiceList
	pods     corev1.PodList
}

type result struct {
	Jobs    int     `json:"jobs"`
	Found   int     `json:"found"`
	Kept    int     `json:"kept"`
	Seconds float64 `json:"seconds"`
}

func main() {
	// One core, as for the function.
	runtime.GOMAXPROCS(1)
	os.Setenv("KUBE_FEATURE_WatchListClient", "false")
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: speed CLUSTER SCRAPE_CONFIGS")
		os.Exit(2)
	}
	found, err := run(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func run(clusterPath, configsPath string) (*result, error) {
	cluster, err := readCluster(clusterPath)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(configsPath)
	if err != nil {
		return nil, err
	}
	configs := map[string]*scrapeConfig{}
	if err := yaml.Unmarshal(text, &configs); err != nil {
		return nil, fmt.Errorf("%s: %w", configsPath, err)
	}
	names := make([]string, 0, len(configs))
	for name, config := range configs {
		names = append(names, name)
		for _, rule := range config.Relabel {
			// The parser of whole configs sets this field.
			rule.NameValidationScheme = model.UTF8Validation
		}
	}
	sort.Strings(names)
	total := &result{Jobs: len(names)}
	for _, name := range names {
		for _, sd := range configs[name].SD {
			if sd.Role != "endpointslice" {
				return nil, fmt.Errorf("job %s: only endpoint slices are measured, not %s", name, sd.Role)
			}
			for _, namespace := range sd.Namespaces.Names {
				if held := cluster[namespace]; held != nil {
					measure(held, configs[name].Relabel, total)
				}
			}
		}
	}
	return total, nil
}

func readCluster(path string) (map[string]*objects, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	cluster := map[string]*objects{}
	for _, item := range list.Items {
		var head metav1.PartialObjectMetadata
		if err := json.Unmarshal(item, &head); err != nil {
			return nil, err
		}
		held := cluster[head.Namespace]
		if held == nil {
			held = &objects{}
			cluster[head.Namespace] = held
		}
		switch head.Kind {
		case "EndpointSlice":
			err = appendTo(&held.slices.Items, item)
		case "Service":
			err = appendTo(&held.services.Items, item)
		case "Pod":
			err = appendTo(&held.pods.Items, item)
		}
		if err != nil {
			return nil, err
		}
	}
	return cluster, nil
}

func appendTo[T any](items *[]T, text json.RawMessage) error {
	var object T
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	*items = append(*items, object)
	return nil
}

// measure adds the targets of one job in a namespace.
func measure(held *objects, rules []*relabel.Config, total *result) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	indexers := cache.Indexers{
		"service": func(object any) ([]string, error) {
			slice := object.(*discoveryv1.EndpointSlice)
			return []string{slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]}, nil
		},
		cache.NamespaceIndex: cache.MetaNamespaceIndexFunc,
	}
	slices := informer(ctx, &held.slices, &discoveryv1.EndpointSlice{}, indexers)
	services := informer(ctx, &held.services, &corev1.Service{}, cache.Indexers{})
	pods := informer(ctx, &held.pods, &corev1.Pod{}, cache.Indexers{})
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "events"}, []string{"role", "event"})
	// Garbage from reading the objects must not count.
	runtime.GC()

	began := cpu()
	found := kubernetes.NewEndpointSlice(nil, slices, services, pods, nil, nil, nil, nil, false, false, false, counter)
	groups := make(chan []*targetgroup.Group)
	go found.Run(ctx, groups)
	seen := map[string]bool{}
	for len(seen) < len(held.slices.Items) {
		for _, group := range <-groups {
			if seen[group.Source] {
				continue
			}
			seen[group.Source] = true
			total.Found += len(group.Targets)
			total.Kept += relabelled(group, rules)
		}
	}
	total.Seconds += cpu() - began
}

func relabelled(group *targetgroup.Group, rules []*relabel.Config) int {
	kept := 0
	builder := labels.NewBuilder(labels.EmptyLabels())
	for _, target := range group.Targets {
		builder.Reset(labels.EmptyLabels())
		// Like the operator's allocator, which assigns the targets of all shards.
		builder.Set("__tmp_disable_sharding", "true")
		for _, set := range []model.LabelSet{group.Labels, target} {
			for name, value := range set {
				builder.Set(string(name), string(value))
			}
		}
		if relabel.ProcessBuilder(builder, rules...) && builder.Labels().Len() > 0 {
			kept++
		}
	}
	return kept
}

// informer holds the objects of the list.
func informer(ctx context.Context, list, kind k8sruntime.Object, indexers cache.Indexers) cache.SharedIndexInformer {
	source := &cache.ListWatch{
		ListFunc:  func(metav1.ListOptions) (k8sruntime.Object, error) { return list, nil },
		WatchFunc: func(metav1.ListOptions) (watch.Interface, error) { return watch.NewFake(), nil },
	}
	informer := cache.NewSharedIndexInformer(source, kind, 0, indexers)
	go informer.Run(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), informer.HasSynced)
	return informer
}

// cpu returns the CPU seconds of this process.
func cpu() float64 {
	var usage syscall.Rusage
	// It cannot fail for the process itself.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
