// Command worlds writes the objects of a world: a made-up cluster, the same
// for the same seed. The goldens are what the real libraries make of it.
//
//	monitors   monitors of every kind that between them use every field of
//	           their definitions, valid and not, and no pods
//	cluster    pods, services and slices of every shape, and monitors for them
//
// It prints a List.
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"target-allocator.test/peers/internal/objects"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("worlds: ")
	world := flag.String("world", "", "monitors or cluster")
	seed := flag.Uint64("seed", 1, "what the world is made from")
	crds := flag.String("crds", "", "folder with the definitions of the monitors, for the world monitors")
	out := flag.String("out", "", "file to write to")
	flag.Parse()

	dice := &dice{Rand: rand.New(rand.NewPCG(*seed, 0)), turns: map[string]int{}}
	var all []*unstructured.Unstructured
	var err error
	switch *world {
	case "monitors":
		all, err = monitorsWorld(dice, *crds)
	case "cluster":
		all, err = clusterWorld(dice)
	default:
		err = fmt.Errorf("no such world: %q", *world)
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := objects.WriteList(*out, all); err != nil {
		log.Fatal(err)
	}
}

// dice makes the choices.
type dice struct {
	*rand.Rand
	// turns counts the choices that go round.
	turns map[string]int
	// mischief allows choices that make a monitor wrong.
	mischief bool
}

// chance is true with a probability.
func (d *dice) chance(probability float64) bool { return d.Float64() < probability }

// slip is true with a probability, if there is to be mischief.
func (d *dice) slip(probability float64) bool { return d.mischief && d.chance(probability) }

// pick returns one of the values.
func pick[T any](d *dice, values ...T) T { return values[d.IntN(len(values))] }

// next returns the values in turn: one turn for each name.
func next[T any](d *dice, name string, values ...T) T {
	turn := d.turns[name]
	d.turns[name]++
	return values[turn%len(values)]
}

// object is an object, or a part of one, as it is written.
type object = map[string]any

// newObject returns an object with its name.
func newObject(apiVersion, kind, namespace, name string, fields object) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: object{}}
	for field, value := range fields {
		made.Object[field] = value
	}
	made.SetAPIVersion(apiVersion)
	made.SetKind(kind)
	made.SetNamespace(namespace)
	made.SetName(name)
	return made
}
