package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	prometheusclient "github.com/prometheus/client_golang/prometheus"
	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/kubernetes"
	"github.com/prometheus/prometheus/discovery/targetgroup"
)

const (
	// quiet is how long nothing must change before discovery counts as done.
	quiet = 5 * time.Second
	// patience is how long that may take.
	patience = 2 * time.Minute
)

// discoverGroups runs Prometheus' discovery of all jobs until it has settled,
// and returns the target groups by job. It sets the kubeconfig in the scrape
// configs.
func discoverGroups(ctx context.Context, scrapeConfigs []*promconfig.ScrapeConfig, kubeconfig string) (map[string][]*targetgroup.Group, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	jobs := map[string]discovery.Configs{}
	for _, scrapeConfig := range scrapeConfigs {
		for _, config := range scrapeConfig.ServiceDiscoveryConfigs {
			if config, ok := config.(*kubernetes.SDConfig); ok {
				config.KubeConfig = kubeconfig
			}
		}
		jobs[scrapeConfig.JobName] = scrapeConfig.ServiceDiscoveryConfigs
	}

	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	registry := prometheusclient.NewRegistry()
	metrics, err := discovery.CreateAndRegisterSDMetrics(registry)
	if err != nil {
		return nil, err
	}
	manager := discovery.NewManager(ctx, logger, registry, metrics, discovery.Updatert(100*time.Millisecond))
	go manager.Run()
	if err := manager.ApplyConfig(jobs); err != nil {
		return nil, err
	}

	var groups map[string][]*targetgroup.Group
	deadline := time.After(patience)
	for {
		select {
		case groups = <-manager.SyncCh():
		case <-time.After(quiet):
			return groups, nil
		case <-deadline:
			return nil, errors.New("targets do not stop changing")
		}
	}
}
