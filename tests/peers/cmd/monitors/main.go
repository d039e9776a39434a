// Command monitors makes random monitors of all four kinds, drawn from the
// schemas of their own definitions, with what they refer to and the settings of
// an allocator that selects them. Some are wrong; the API server and the real
// libraries say which. The same seed makes the same.
//
// It writes, in the folder -out, objects.json (a List) and settings/N.yaml, the
// settings of several allocators. The first of them sets no field of a
// Prometheus object, the others set random ones.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

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
	allocators := flag.Int("settings", 1, "for how many allocators to make settings")
	crds := flag.String("crds", "", "folder with the definitions of the monitors")
	out := flag.String("out", "", "folder to write to")
	flag.Parse()

	if err := write(rand.New(rand.NewPCG(*seed, 0)), *count, *allocators, *crds, *out); err != nil {
		log.Fatal(err)
	}
}

func write(random *rand.Rand, count, allocators int, crds, out string) error {
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
	if err := os.MkdirAll(filepath.Join(out, "settings"), 0o755); err != nil {
		return err
	}
	if err := objects.WriteList(filepath.Join(out, "objects.json"), all); err != nil {
		return err
	}
	for i := range allocators {
		text := settings(random)
		if i > 0 {
			text += prometheusFields(random, count)
		}
		name := fmt.Sprintf("%d.yaml", i)
		if err := os.WriteFile(filepath.Join(out, "settings", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pick returns one of the values.
func pick[T any](random *rand.Rand, values ...T) T { return values[random.IntN(len(values))] }
