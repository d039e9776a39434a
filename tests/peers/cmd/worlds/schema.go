package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"target-allocator.test/peers/internal/definitions"
)

// specMaker makes specs from a schema: what is required, what is asked for,
// and a little of everything else.
type specMaker struct {
	*dice
	// made counts the optional fields by path over all specs.
	made map[string]int
}

// paths returns the paths of a schema's optional fields, outermost first. A
// path reads as in .endpoints[].params.
func (m *specMaker) paths(path string, schema *apiextensions.JSONSchemaProps) []string {
	var all []string
	if _, ok := maker(path); ok || definitions.IsKeySelector(schema) {
		return nil
	}
	switch {
	case len(schema.Properties) > 0:
		for _, field := range slices.Sorted(maps.Keys(schema.Properties)) {
			// What a service discovery authenticates with is, under each of
			// two dozen kinds, the same again.
			if strings.Contains(path, "SDConfigs[].") {
				return nil
			}
			property := schema.Properties[field]
			if !slices.Contains(schema.Required, field) {
				all = append(all, path+"."+field)
			}
			all = append(all, m.paths(path+"."+field, &property)...)
		}
	case schema.Items != nil:
		all = m.paths(path+"[]", schema.Items.Schema)
	case schema.AdditionalProperties != nil:
		all = m.paths(path+"{}", schema.AdditionalProperties.Schema)
	}
	return all
}

// value makes a value for a path. Focus is a path whose field must be in it.
func (m *specMaker) value(path, focus string, schema *apiextensions.JSONSchemaProps) any {
	if make, ok := maker(path); ok {
		return make(m.dice)
	}
	switch {
	case definitions.IsKeySelector(schema):
		return keySelector(m.dice, path)
	case len(schema.Enum) > 0:
		return strings.Trim(string(next(m.dice, path, schema.Enum...).Raw), `"`)
	case len(schema.Properties) > 0:
		return m.object(path, focus, schema)
	case schema.Items != nil:
		return m.list(path, focus, schema.Items.Schema)
	case schema.AdditionalProperties != nil:
		return object{
			pick(m.dice, "alpha", "X-Beta", "gamma_1"): m.value(path+"{}", focus, schema.AdditionalProperties.Schema),
		}
	case schema.Type == "boolean":
		return next(m.dice, path, true, false)
	case schema.Type == "integer":
		return pick[int64](m.dice, 0, 1, 1, 100, 5000)
	case strings.HasPrefix(schema.Pattern, durationPattern):
		return duration(m.dice)
	}
	return pick(m.dice, "one", "two words", "thr33")
}

func (m *specMaker) object(path, focus string, schema *apiextensions.JSONSchemaProps) object {
	made := object{}
	chosen := map[string]bool{}
	for _, field := range slices.Sorted(maps.Keys(schema.Properties)) {
		chosen[field] = slices.Contains(schema.Required, field) || m.wants(path+"."+field, focus)
	}
	m.reconcile(path, focus, schema, chosen)
	for _, field := range slices.Sorted(maps.Keys(chosen)) {
		if !chosen[field] {
			continue
		}
		property := schema.Properties[field]
		m.made[path+"."+field]++
		made[field] = m.value(path+"."+field, focus, &property)
	}
	return made
}

// wants decides on an optional field.
func (m *specMaker) wants(path, focus string) bool {
	if inFocus(path, focus) || slices.Contains(customary, path) && !m.slip(0.05) {
		return true
	}
	if strings.HasSuffix(path, "SDConfigs") {
		return m.slip(0.05)
	}
	if m.mischief {
		return m.chance(0.2)
	}
	return m.chance(0.05)
}

func inFocus(path, focus string) bool {
	rest, ok := strings.CutPrefix(focus, path)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[{"))
}

// alternatives are fields of which an object has one at most.
var alternatives = [][]string{
	{"authorization", "basicAuth", "bearerTokenFile", "bearerTokenSecret", "oauth2"},
	{"ca", "caFile"},
	{"cert", "certFile"},
	{"configMap", "secret"},
	{"ingress", "staticConfig"},
	{"keyFile", "keySecret"},
	{"port", "portNumber", "targetPort"},
	{"proxyFromEnvironment", "proxyUrl"},
	{"noProxy", "proxyFromEnvironment"},
}

// companions are fields that make no sense without another.
var companions = map[string]string{
	"cert":               "keySecret",
	"certFile":           "keyFile",
	"keyFile":            "certFile",
	"keySecret":          "cert",
	"noProxy":            "proxyUrl",
	"proxyConnectHeader": "proxyUrl",
	"scrapeTimeout":      "interval",
}

// customary are fields that a schema does not ask for and that a spec is
// nothing without.
var customary = []string{".podMetricsEndpoints", ".prober", ".targets"}

// needs are fields, by what they stand in, of which one at least makes sense of
// the others.
var needs = map[string][][]string{
	"authorization":    {{"credentials"}},
	"azureSDConfigs[]": {{"tenantID"}, {"clientID"}, {"clientSecret"}},
	"basicAuth":        {{"username"}, {"password"}},
	"ca":               {{"secret", "configMap"}},
	"cert":             {{"secret", "configMap"}},
	"clientId":         {{"secret", "configMap"}},
	"dnsSDConfigs[]":   {{"port"}},
	"targets":          {{"staticConfig", "ingress"}},
}

// reconcile makes sense of a choice of fields, mostly: some monitors are meant
// to be refused.
func (m *specMaker) reconcile(path, focus string, schema *apiextensions.JSONSchemaProps, chosen map[string]bool) {
	for _, fields := range needs[path[strings.LastIndex(path, ".")+1:]] {
		has := func(field string) bool { return chosen[field] }
		if !slices.ContainsFunc(fields, has) && !m.slip(0.1) {
			chosen[pick(m.dice, fields...)] = true
		}
	}
	for _, field := range slices.Sorted(maps.Keys(companions)) {
		if _, ok := schema.Properties[companions[field]]; ok && chosen[field] && !m.slip(0.2) {
			chosen[companions[field]] = true
		}
	}
	for _, fields := range alternatives {
		var rivals []string
		for _, field := range fields {
			if chosen[field] {
				rivals = append(rivals, field)
			}
		}
		if len(rivals) < 2 || m.slip(0.2) {
			continue
		}
		kept := slices.IndexFunc(rivals, func(field string) bool { return inFocus(path+"."+field, focus) })
		for i, field := range rivals {
			chosen[field] = i == max(kept, 0)
		}
	}
	for field, companion := range companions {
		if _, ok := schema.Properties[companion]; ok && !chosen[companion] && !m.mischief {
			chosen[field] = false
		}
	}
}

func (m *specMaker) list(path, focus string, items *apiextensions.JSONSchemaProps) []any {
	length := 1
	if m.chance(0.2) {
		length = 2
	}
	var made []any
	for range length {
		item := m.value(path+"[]", focus, items)
		// Many lists are sets.
		if !slices.ContainsFunc(made, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(item) }) {
			made = append(made, item)
		}
	}
	return made
}
