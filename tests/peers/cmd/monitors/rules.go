package main

import "strings"

// isRules tells the fields that hold relabelling rules.
func isRules(field string) bool {
	return field == "relabelings" || field == "metricRelabelings" || field == "relabelingConfigs"
}

// makeSense adds to a rule what its action asks for and takes out what it
// forbids, mostly.
func (m *maker) makeSense(rule object) {
	if m.chance(m.mischief * 2) {
		return
	}
	action, _ := rule["action"].(string)
	needs := func(field string, value any) {
		if _, ok := rule[field]; !ok {
			rule[field] = value
		}
	}
	target := func() any { return m.draw(pools["targetLabel"]) }
	switch strings.ToLower(action) {
	case "", "replace":
		needs("targetLabel", target())
		delete(rule, "modulus")
	case "keep", "drop":
		needs("sourceLabels", []any{"__address__"})
	case "hashmod":
		rule["modulus"] = int64(1 + m.IntN(9))
		needs("sourceLabels", []any{"__address__"})
		rule["targetLabel"] = "__tmp_hash"
	case "labelmap":
		if m.chance(0.5) {
			rule["replacement"] = pick(m.Rand, "$1", "x_$1", "${1}")
		} else {
			delete(rule, "replacement")
		}
	case "labeldrop", "labelkeep":
		for _, field := range []string{"modulus", "replacement", "separator", "sourceLabels", "targetLabel"} {
			delete(rule, field)
		}
	case "lowercase", "uppercase":
		needs("sourceLabels", []any{"job"})
		rule["targetLabel"] = "cased"
		delete(rule, "replacement")
	case "keepequal", "dropequal":
		needs("sourceLabels", []any{"job"})
		rule["targetLabel"] = "other"
		for _, field := range []string{"modulus", "replacement", "regex", "separator"} {
			delete(rule, field)
		}
	}
}
