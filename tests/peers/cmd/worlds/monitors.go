package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"target-allocator.test/peers/internal/certificate"
	"target-allocator.test/peers/internal/definitions"
)

// monitorKinds are the kinds of monitors, each with how often valid ones use
// every field, and how many others are made.
var monitorKinds = []struct {
	plural        string
	times, others int
}{
	{"servicemonitors", 3, 40},
	{"podmonitors", 2, 30},
	{"probes", 2, 30},
	{"scrapeconfigs", 1, 40},
}

// monitorsWorld makes monitors in two namespaces with what they refer to.
func monitorsWorld(d *dice, crds string) ([]*unstructured.Unstructured, error) {
	namespaces := []string{"team-a", "team-b"}
	var all []*unstructured.Unstructured
	for _, namespace := range append(namespaces, "monitoring") {
		all = append(all, newObject("v1", "Namespace", "", namespace, nil))
	}
	for _, namespace := range namespaces {
		references, err := references(namespace)
		if err != nil {
			return nil, err
		}
		all = append(all, references...)
	}
	for _, kind := range monitorKinds {
		definition, err := definitions.Read(crds, kind.plural)
		if err != nil {
			return nil, err
		}
		for i, spec := range specs(d, definition, kind.times, kind.others) {
			name := fmt.Sprintf("m-%03d", i)
			all = append(all, newObject(definition.APIVersion, definition.Kind, pick(d, namespaces...), name, object{"spec": spec}))
		}
	}
	return all, nil
}

// specs makes valid specs that between them have every optional field so many
// times, and others of which some are to be refused.
func specs(d *dice, definition *definitions.Definition, times, others int) []object {
	maker := &specMaker{d, map[string]int{}}
	var made []object
	d.mischief = false
	for _, path := range maker.paths("", definition.Spec) {
		for maker.made[path] < times {
			made = append(made, maker.object("", path, definition.Spec))
		}
	}
	d.mischief = true
	for range others {
		made = append(made, maker.object("", "", definition.Spec))
	}
	return made
}

// references makes the Secret and the ConfigMap that a namespace's monitors
// refer to.
func references(namespace string) ([]*unstructured.Unstructured, error) {
	pem, key, err := certificate.Make(namespace)
	if err != nil {
		return nil, err
	}
	return []*unstructured.Unstructured{
		newObject("v1", "Secret", namespace, "credentials", object{"stringData": object{
			"user":     "user of " + namespace,
			"password": "p&ss <word>: \"1\"",
			"token":    "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
			"ca":       pem,
			"cert":     pem,
			"key":      key,
			"not-pem":  "no certificate",
		}}),
		newObject("v1", "ConfigMap", namespace, "public", object{"data": object{
			"user":    "public user",
			"ca":      pem,
			"cert":    pem,
			"not-pem": "no certificate",
		}}),
	}, nil
}
