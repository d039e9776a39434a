// Command record writes the goldens: the answers of the real libraries for the
// objects of an API server. Tests compare the function with them.
//
// The libraries are the parts of the OpenTelemetry operator's target allocator,
// called in its order and with its settings. prometheus-operator selects the
// monitors and generates Prometheus' config. Prometheus parses the config,
// discovers the targets and relabels them. The hash ring of the allocator assigns
// them. (The allocator itself is not published as a Go module.)
//
// It writes, in the folder -out:
//
//	targetallocator.yaml   a copy of the configuration
//	cluster.json           every object that an allocator may read, as a List
//	scrape_configs.json    {job: scrape config}, secrets shown
//	refused.json           {monitor or job: the reason why it has no scrape config}
//	targets.json           {job: {collector: [HTTP SD groups]}}; "all" has the collectors' names
//
// There is no targets.json if the config selects no collectors.
//
// Two runs on clusters with equal manifests write equal files. UIDs, times and
// versions that an API server made up are replaced or left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"target-allocator.test/peers/internal/objects"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("record: ")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig of the API server")
	configuration := flag.String("config", "", "the allocator's targetallocator.yaml")
	out := flag.String("out", "", "folder to write to")
	flag.Parse()

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	config.QPS = -1
	// The operator's library reports every refused monitor as an event, which
	// client-go logs; refused.json says the same.
	klog.SetSlogLogger(slog.New(slog.DiscardHandler))
	if err := record(context.Background(), config, *kubeconfig, *configuration, *out); err != nil {
		log.Fatal(err)
	}
}

func record(ctx context.Context, config *rest.Config, kubeconfig, configuration, out string) error {
	settings, err := loadSettings(configuration)
	if err != nil {
		return fmt.Errorf("reading %s: %w", configuration, err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := copyFile(configuration, filepath.Join(out, "targetallocator.yaml")); err != nil {
		return err
	}

	cluster, uids, err := readCluster(ctx, config)
	if err != nil {
		return fmt.Errorf("reading the cluster: %w", err)
	}
	if err := objects.WriteList(filepath.Join(out, "cluster.json"), cluster); err != nil {
		return err
	}

	scrapeConfigs, refused, err := makeScrapeConfigs(ctx, config, settings)
	if err != nil {
		return fmt.Errorf("making the scrape configs: %w", err)
	}
	served, err := servedScrapeConfigs(scrapeConfigs)
	if err != nil {
		return fmt.Errorf("marshalling the scrape configs: %w", err)
	}
	if err := writeJSON(filepath.Join(out, "scrape_configs.json"), served, 1); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(out, "refused.json"), refused, 1); err != nil {
		return err
	}
	if settings.CollectorSelector == nil {
		return nil
	}

	groups, err := discoverGroups(ctx, scrapeConfigs, kubeconfig)
	if err != nil {
		return fmt.Errorf("discovering targets: %w", err)
	}
	collectors, err := readCollectors(ctx, config, settings)
	if err != nil {
		return fmt.Errorf("reading the collectors: %w", err)
	}
	targets, err := assignTargets(scrapeConfigs, groups, collectors, settings, uids)
	if err != nil {
		return fmt.Errorf("assigning the targets: %w", err)
	}
	return writeJSON(filepath.Join(out, "targets.json"), targets, 3)
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}
