// Command monitors makes random monitors of all four kinds, drawn from the
// schemas of their own definitions, with what they refer to and the settings of
// an allocator that selects them. Some are wrong; the API server and the real
// libraries say which. The same seed makes the same.
//
// It writes, in the folder -out, objects.json (a List) and targetallocator.yaml.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"target-allocator.test/peers/internal/definitions"
	"target-allocator.test/peers/internal/objects"
)

// namespaces are where the monitors are.
var namespaces = []string{"team-a", "team-b"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("monitors: ")
	seed := flag.Uint64("seed", 1, "what the monitors are made from")
	count := flag.Int("count", 1000, "how many monitors to make")
	crds := flag.String("crds", "", "folder with the definitions of the monitors")
	out := flag.String("out", "", "folder to write to")
	flag.Parse()

	if err := write(rand.New(rand.NewPCG(*seed, 0)), *count, *crds, *out); err != nil {
		log.Fatal(err)
	}
}

func write(random *rand.Rand, count int, crds, out string) error {
	var kinds []*definitions.Definition
	for _, plural := range []string{"servicemonitors", "podmonitors", "probes", "scrapeconfigs"} {
		definition, err := definitions.Read(crds, plural)
		if err != nil {
			return err
		}
		kinds = append(kinds, definition)
	}
	all, err := surroundings()
	if err != nil {
		return err
	}
	for i := range count {
		kind := kinds[i%len(kinds)]
		maker := newMaker(random)
		spec, err := maker.value(nil, kind.Spec)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.Kind, err)
		}
		monitor := &unstructured.Unstructured{Object: object{"spec": spec}}
		monitor.SetAPIVersion(kind.APIVersion)
		monitor.SetKind(kind.Kind)
		monitor.SetNamespace(pick(random, namespaces...))
		monitor.SetName(fmt.Sprintf("m-%06d", i))
		all = append(all, monitor)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := objects.WriteList(filepath.Join(out, "objects.json"), all); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "targetallocator.yaml"), []byte(settings(random)), 0o644)
}

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

// pick returns one of the values.
func pick[T any](random *rand.Rand, values ...T) T { return values[random.IntN(len(values))] }
