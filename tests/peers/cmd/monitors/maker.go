package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"target-allocator.test/peers/internal/definitions"
)

// object is an object, or a part of one, as it is written.
type object = map[string]any

// maker makes one spec.
type maker struct {
	*rand.Rand
	// density is the share of the optional fields that are made.
	density float64
	// mischief is how often a choice is made that is likely to be wrong.
	mischief float64
}

// newMaker returns a maker of sparse or of crowded specs, of sound or of
// mischievous ones: with one density for all, everything is wrong somewhere or
// nothing meets anything.
func newMaker(random *rand.Rand) *maker {
	return &maker{random, pick(random, 0.05, 0.12, 0.3), pick(random, 0, 0, 0.01, 0.03, 0.15)}
}

func (m *maker) chance(probability float64) bool { return m.Float64() < probability }

// value makes a value for a path of fields.
func (m *maker) value(path []string, schema *apiextensions.JSONSchemaProps) (any, error) {
	if definitions.IsKeySelector(schema) {
		return m.keySelector(path), nil
	}
	if pool, ok := poolOf(path); ok {
		return m.draw(pool), nil
	}
	if len(schema.Enum) > 0 {
		var value any
		err := json.Unmarshal(pick(m.Rand, schema.Enum...).Raw, &value)
		return value, err
	}
	switch {
	case len(schema.Properties) > 0:
		return m.object(path, schema)
	case schema.Type == "array":
		return m.list(path, schema)
	case schema.AdditionalProperties != nil:
		return m.mapping(path, schema)
	case schema.Type == "boolean":
		return m.chance(0.5), nil
	case schema.Type == "integer":
		return m.integer(schema), nil
	case schema.Pattern != "":
		pool, ok := patternPools[schema.Pattern]
		if !ok {
			return nil, fmt.Errorf("%s: no values for the pattern %s", strings.Join(path, "."), schema.Pattern)
		}
		return m.draw(pool), nil
	case schema.Type == "string":
		if m.chance(m.mischief) {
			return "", nil // refused where there is a least length
		}
		return m.draw(texts), nil
	}
	return nil, fmt.Errorf("%s: no values for the type %q", strings.Join(path, "."), schema.Type)
}

func (m *maker) draw(from pool) any {
	if len(from.wrong) > 0 && m.chance(m.mischief) {
		return pick(m.Rand, from.wrong...)
	}
	return pick(m.Rand, from.fits...)
}

func (m *maker) object(path []string, schema *apiextensions.JSONSchemaProps) (any, error) {
	chosen := map[string]bool{}
	fields := slices.Sorted(maps.Keys(schema.Properties))
	for _, field := range fields {
		required := slices.Contains(schema.Required, field)
		chosen[field] = required && !m.chance(m.mischief/10) || m.wants(path, field)
	}
	m.reconcile(path, schema, chosen)
	made := object{}
	for _, field := range fields {
		if !chosen[field] {
			continue
		}
		property := schema.Properties[field]
		value, err := m.value(append(slices.Clone(path), field), &property)
		if err != nil {
			return nil, err
		}
		made[field] = value
	}
	if len(path) > 0 && isRules(path[len(path)-1]) {
		m.makeSense(made)
	}
	if operator, ok := made["operator"]; ok && !m.chance(m.mischief) {
		delete(made, "values")
		if operator == "In" || operator == "NotIn" {
			made["values"] = m.draw(pools["matchExpressions.values"])
		}
	}
	return made, nil
}

// wants decides on an optional field.
func (m *maker) wants(path []string, field string) bool {
	switch {
	case slices.Contains(customary, field):
		return !m.chance(m.mischief)
	case len(path) > 0 && isRules(path[len(path)-1]):
		return m.chance(0.5)
	case field == "staticConfigs":
		return m.chance(0.4)
	case field == "kubernetesSDConfigs" || field == "httpSDConfigs" || field == "dnsSDConfigs":
		return m.chance(0.15)
	case strings.HasSuffix(field, "SDConfigs"):
		return m.chance(0.015)
	}
	return m.chance(m.density)
}

// reconcile makes sense of a choice of fields, mostly.
func (m *maker) reconcile(path []string, schema *apiextensions.JSONSchemaProps, chosen map[string]bool) {
	parent := ""
	if len(path) > 0 {
		parent = path[len(path)-1]
	}
	for _, fields := range needs[parent] {
		if !slices.ContainsFunc(fields, func(field string) bool { return chosen[field] }) && !m.chance(m.mischief) {
			chosen[pick(m.Rand, fields...)] = true
		}
	}
	for _, field := range slices.Sorted(maps.Keys(companions)) {
		companion := companions[field]
		if _, ok := schema.Properties[companion]; ok && chosen[field] && !m.chance(m.mischief*2) {
			chosen[companion] = true
		}
	}
	for _, fields := range alternatives {
		var rivals []string
		for _, field := range fields {
			if chosen[field] {
				rivals = append(rivals, field)
			}
		}
		if len(rivals) < 2 || m.chance(m.mischief*2) {
			continue
		}
		kept := pick(m.Rand, rivals...)
		for _, field := range rivals {
			chosen[field] = field == kept
			if companion := companions[field]; field != kept && companion != "" {
				chosen[companion] = false
			}
		}
	}
}

func (m *maker) list(path []string, schema *apiextensions.JSONSchemaProps) (any, error) {
	made := []any{}
	length := pick(m.Rand, 1, 1, 1, 2, 3)
	if m.chance(0.05) {
		length = 0 // refused where there is a least number
	}
	set := schema.XListType != nil && *schema.XListType != "atomic"
	for range length {
		item, err := m.value(path, schema.Items.Schema)
		if err != nil {
			return nil, err
		}
		same := func(other any) bool { return sameKey(schema, item, other) }
		if set && slices.ContainsFunc(made, same) && !m.chance(m.mischief) {
			continue
		}
		made = append(made, item)
	}
	return made, nil
}

// sameKey tells whether a list may not hold both items.
func sameKey(schema *apiextensions.JSONSchemaProps, a, b any) bool {
	left, isObject := a.(object)
	if !isObject || len(schema.XListMapKeys) == 0 {
		return fmt.Sprint(a) == fmt.Sprint(b)
	}
	right := b.(object)
	return !slices.ContainsFunc(schema.XListMapKeys, func(key string) bool { return left[key] != right[key] })
}

func (m *maker) mapping(path []string, schema *apiextensions.JSONSchemaProps) (any, error) {
	made := object{}
	for range pick(m.Rand, 0, 1, 1, 1, 2, 3) {
		key := m.draw(keysOf(path)).(string)
		value, err := m.value(append(slices.Clone(path), "{}"), schema.AdditionalProperties.Schema)
		if err != nil {
			return nil, err
		}
		made[key] = value
	}
	return made, nil
}

// integer makes a number between the bounds, and at them more often than not.
func (m *maker) integer(schema *apiextensions.JSONSchemaProps) int64 {
	least, most := int64(0), int64(1<<53)
	if schema.Minimum != nil {
		least = int64(*schema.Minimum)
	}
	if schema.Maximum != nil {
		most = int64(*schema.Maximum)
	} else if schema.Format == "int32" {
		most = 1<<31 - 1
	}
	if m.chance(m.mischief / 5) {
		return pick(m.Rand, least-1, most+1)
	}
	return pick(m.Rand, least, least+1, least+1, min(least+100, most), min(5000, most), most-1, most)
}

// keySelector refers to a key of what there is, or of what there is not.
func (m *maker) keySelector(path []string) object {
	name, key := "credentials", pick(m.Rand, "user", "password", "token")
	last := path[len(path)-1]
	for _, part := range path {
		switch part {
		case "ca", "cert":
			key = part
		case "keySecret":
			key = "key"
		}
	}
	switch {
	case last == "configMap":
		name = "public"
		if key == "password" || key == "token" {
			key = "user"
		}
	case m.chance(0.15):
		if slices.Contains([]string{"ca", "cert", "key"}, key) {
			key += "-2"
		} else {
			key = pick(m.Rand, oddKeys...)
		}
	}
	made := object{"name": name, "key": key}
	if m.chance(m.mischief * 2) {
		switch m.IntN(6) {
		case 0:
			made["name"] = "absent"
		case 1:
			made["key"] = "absent"
		case 2:
			made["key"] = "not-pem"
		case 3:
			made["name"] = ""
		case 4:
			delete(made, "name")
		case 5:
			made["key"] = pick(m.Rand, "key", "cert", "empty", "")
		}
	}
	if m.chance(0.15) {
		made["optional"] = m.chance(0.5)
	}
	return made
}
