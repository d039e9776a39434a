// Command discovery prints the targets that Prometheus finds in clusters.
//
// Input: lines of JSON. Each line has a cluster and SD configs for it. Output: for
// each line, the target groups by config, or the reason why Prometheus refuses the
// config. Prometheus' own discovery/kubernetes runs against a small API server that
// holds the cluster.
//
// With the arguments `generate SEED COUNT` it prints random clusters instead. These
// lines are the input for this program and for the example discovery_differential.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v2"
	"k8s.io/klog/v2"
)

// parallel is the number of simultaneous discoveries. They mostly wait.
const parallel = 16

type world struct {
	Cluster struct {
		Items []object `json:"items"`
	} `json:"cluster"`
	Configs []map[string]any `json:"configs"`
}

type answer struct {
	Refused string  `json:"refused,omitempty"`
	Groups  []group `json:"groups"`
}

type group struct {
	Source  string           `json:"source"`
	Labels  model.LabelSet   `json:"labels"`
	Targets []model.LabelSet `json:"targets"`
}

func main() {
	// A stopped discovery logs errors of its watches.
	klog.SetLogger(logr.Discard())
	// Lists are enough, because nothing changes.
	os.Setenv("KUBE_FEATURE_WatchListClient", "false")
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if len(args) > 0 {
		return generate(args, encoder)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<26)
	for in.Scan() {
		var w world
		if err := json.Unmarshal(in.Bytes(), &w); err != nil {
			return fmt.Errorf("line is not a cluster with configs: %w", err)
		}
		answers, err := answersFor(&w)
		if err != nil {
			return err
		}
		if err := encoder.Encode(answers); err != nil {
			return err
		}
	}
	return in.Err()
}

func answersFor(w *world) ([]answer, error) {
	server := newServer(w.Cluster.Items)
	defer server.close()
	answers := make([]answer, len(w.Configs))
	errs := make([]error, len(w.Configs))
	var wait sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, config := range w.Configs {
		wait.Add(1)
		go func() {
			defer wait.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i], errs[i] = answerTo(server, config)
		}()
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("config %v: %w", w.Configs[i], err)
		}
	}
	return answers, nil
}

func answerTo(server *server, config map[string]any) (answer, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return answer{}, err
	}
	var parsed kubernetes.SDConfig
	// An API server must be named before the config is read: own_namespace depends on it.
	withServer := fmt.Sprintf(`{"api_server": %q, %s`, server.url, strings.TrimPrefix(string(text), "{"))
	if err := yaml.UnmarshalStrict([]byte(withServer), &parsed); err != nil {
		return answer{Refused: err.Error()}, nil
	}
	awaited, err := server.sources(&parsed)
	if err != nil {
		return answer{Refused: err.Error()}, nil
	}
	registry := prometheus.NewRegistry()
	metrics := parsed.NewDiscovererMetrics(registry, discovery.NewRefreshMetrics(registry))
	discoverer, err := parsed.NewDiscoverer(discovery.DiscovererOptions{Logger: slog.New(slog.DiscardHandler), Metrics: metrics})
	if err != nil {
		return answer{}, err
	}
	found, err := collect(discoverer, awaited)
	if err != nil {
		return answer{}, err
	}
	groups := []group{}
	for _, g := range found {
		if len(g.Targets) > 0 {
			groups = append(groups, group{Source: g.Source, Labels: g.Labels, Targets: g.Targets})
		}
	}
	sort.Slice(groups, func(i, j int) bool { return groups[i].Source < groups[j].Source })
	return answer{Groups: groups}, nil
}

// collect runs a discoverer until it has reported every source.
func collect(discoverer discovery.Discoverer, awaited map[string]bool) (map[string]*targetgroup.Group, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	updates := make(chan []*targetgroup.Group)
	go discoverer.Run(ctx, updates)
	found := map[string]*targetgroup.Group{}
	deadline := time.After(30 * time.Second)
	for len(awaited) > 0 {
		select {
		case groups := <-updates:
			for _, g := range groups {
				found[g.Source] = g
				delete(awaited, g.Source)
			}
		case <-deadline:
			return nil, fmt.Errorf("no word of %v", awaited)
		}
	}
	// Nothing should follow. A later report counts.
	quiet := time.After(20 * time.Millisecond)
	for {
		select {
		case groups := <-updates:
			for _, g := range groups {
				found[g.Source] = g
			}
		case <-quiet:
			return found, nil
		}
	}
}
