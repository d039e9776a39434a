package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/buraksezer/consistent"
	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/common/model"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/targetgroup"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
)

// discovered are a target's labels as discovery made them. Those without a
// value count: the allocator serves them.
type discovered map[string]string

// group is an HTTP SD group as the allocator serves it: one for each target,
// with all labels that discovery made.
type group struct {
	Targets []string   `json:"targets"`
	Labels  discovered `json:"labels"`
}

// assignTargets makes targets of the groups and returns job → collector →
// groups. A collector's groups are in the order of their JSON text.
func assignTargets(
	scrapeConfigs []*promconfig.ScrapeConfig,
	groups map[string][]*targetgroup.Group,
	collectors []collector,
	settings *settings,
	uids uidNames,
) (map[string]map[string]any, error) {
	nodes := map[string]string{}
	for _, collector := range collectors {
		if other := nodes[collector.node]; other != "" && settings.AllocationStrategy == perNode {
			return nil, fmt.Errorf("which of two collectors on one node is left to chance: %s, %s", other, collector.name)
		}
		nodes[collector.node] = collector.name
	}
	ring := newRing(collectors)
	assigned := map[string]map[string]any{}
	for _, scrapeConfig := range scrapeConfigs {
		shares := map[string][]json.RawMessage{}
		targets, err := targetsOf(scrapeConfig, groups[scrapeConfig.JobName], settings)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", scrapeConfig.JobName, err)
		}
		for _, target := range targets {
			owner := ownerOf(target, nodes, ring, settings)
			if owner == "" {
				continue
			}
			text, err := json.Marshal(group{[]string{target[model.AddressLabel]}, uids.replaceIn(target)})
			if err != nil {
				return nil, err
			}
			shares[owner] = append(shares[owner], text)
		}

		job := map[string]any{}
		names := []string{}
		for _, collector := range collectors {
			share := shares[collector.name]
			slices.SortFunc(share, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
			if share == nil {
				share = []json.RawMessage{}
			}
			job[collector.name] = share
			names = append(names, collector.name)
		}
		job["all"] = names
		assigned[scrapeConfig.JobName] = job
	}
	return assigned, nil
}

// targetsOf returns the labels of a job's targets as they were discovered,
// without those that relabelling drops and with each identity once.
//
// Of targets with one identity the allocator serves the last. Which of several
// groups comes last is left to the order of a Go map, so there is no golden for
// a target with different labels in two groups: that is an error.
func targetsOf(scrapeConfig *promconfig.ScrapeConfig, groups []*targetgroup.Group, settings *settings) ([]discovered, error) {
	targets := map[uint64]discovered{}
	for _, group := range groups {
		inGroup := map[uint64]discovered{}
		for _, target := range group.Targets {
			found := discovered{}
			for _, set := range []model.LabelSet{group.Labels, target} {
				for name, value := range set {
					found[string(name)] = string(value)
				}
			}
			relabelled := labels.NewBuilder(labels.FromMap(found))
			if settings.FilterStrategy != relabelConfig || applyRules(relabelled, scrapeConfig) {
				inGroup[identityOf(relabelled)] = found
			}
		}
		for identity, found := range inGroup {
			if other, ok := targets[identity]; ok && !maps.Equal(found, other) {
				return nil, fmt.Errorf("one target in two groups: %s and %s", found, other)
			}
			targets[identity] = found
		}
	}
	return slices.Collect(maps.Values(targets)), nil
}

// applyRules sets what a scrape sets before its rules are applied, where
// discovery has not, and says whether the rules keep the target.
//
// The rules stand between two of the allocator's own: the generator's last
// rules drop the targets of other shards of a Prometheus unless a label says
// that there are none.
func applyRules(builder *labels.Builder, scrapeConfig *promconfig.ScrapeConfig) bool {
	seeds := []labels.Label{
		{Name: model.JobLabel, Value: scrapeConfig.JobName},
		{Name: model.ScrapeIntervalLabel, Value: scrapeConfig.ScrapeInterval.String()},
		{Name: model.ScrapeTimeoutLabel, Value: scrapeConfig.ScrapeTimeout.String()},
		{Name: model.MetricsPathLabel, Value: scrapeConfig.MetricsPath},
		{Name: model.SchemeLabel, Value: scrapeConfig.Scheme},
	}
	for _, name := range slices.Sorted(maps.Keys(scrapeConfig.Params)) {
		if values := scrapeConfig.Params[name]; len(values) > 0 {
			seeds = append(seeds, labels.Label{Name: model.ParamLabelPrefix + name, Value: values[0]})
		}
	}
	for _, seed := range seeds {
		if builder.Get(seed.Name) == "" {
			builder.Set(seed.Name, seed.Value)
		}
	}

	const unsharded = "__tmp_disable_sharding"
	builder.Set(unsharded, "true")
	kept := relabel.ProcessBuilder(builder, scrapeConfig.RelabelConfigs...)
	builder.Del(unsharded)
	return kept
}

// identityOf hashes the labels that a scrape would be left with, in the
// builder's order: what was discovered by name, then what was set, as it was
// set first. Equal labels that came about differently are two targets to the
// allocator.
func identityOf(builder *labels.Builder) uint64 {
	hash := xxhash.New()
	builder.Range(func(label labels.Label) {
		if strings.HasPrefix(label.Name, model.MetaLabelPrefix) {
			return
		}
		fmt.Fprintf(hash, "%s\xff%s\xff", label.Name, label.Value)
	})
	return hash.Sum64()
}

// ownerOf returns the name of the collector that scrapes a target, or nothing.
// Nodes are the collectors' names by node.
func ownerOf(target discovered, nodes map[string]string, ring *consistent.Consistent, settings *settings) string {
	if settings.AllocationStrategy == perNode {
		node := nodeOf(target)
		if node != "" || settings.AllocationFallbackStrategy == "" {
			return nodes[node]
		}
	}
	if len(nodes) == 0 {
		return ""
	}
	return ring.LocateKey([]byte(target[model.AddressLabel])).String()
}

func nodeOf(target discovered) string {
	for _, name := range []string{
		"__meta_kubernetes_pod_node_name",
		"__meta_kubernetes_node_name",
		"__meta_kubernetes_endpoint_node_name",
	} {
		if node := target[name]; node != "" {
			return node
		}
	}
	if target["__meta_kubernetes_endpointslice_address_target_kind"] == "Node" {
		return target["__meta_kubernetes_endpointslice_address_target_name"]
	}
	return ""
}

type hasher struct{}

func (hasher) Sum64(key []byte) uint64 { return xxhash.Sum64(key) }

// newRing returns the hash ring with the allocator's parameters.
func newRing(collectors []collector) *consistent.Consistent {
	var members []consistent.Member
	for _, collector := range collectors {
		members = append(members, collector)
	}
	return consistent.New(members, consistent.Config{
		PartitionCount:    1061,
		ReplicationFactor: 5,
		Load:              1.1,
		Hasher:            hasher{},
	})
}
