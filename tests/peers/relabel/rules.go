package main

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"go.yaml.in/yaml/v2"
)

// ruleCase is rules and labels, and what Prometheus' relabelling makes of them.
type ruleCase struct {
	Names  string            `json:"names"`
	Labels map[string]string `json:"labels"`
	Rules  []map[string]any  `json:"rules"`
	// Answer is refused, dropped or kept; After are the labels that were kept.
	Answer string            `json:"answer"`
	After  map[string]string `json:"after,omitempty"`
}

var labelNames = []string{"a", "b", "c", "ab", "a_b", "__meta_a", "__meta_b", "__address__", "job", "__tmp_x", "A", "é", "a-b", "0a"}

func writeRules(out *bufio.Writer, random *rand.Rand, count int) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for range count {
		made := ruleCase{Names: pick(random, []string{"utf8", "legacy"}), Labels: map[string]string{}}
		for range random.IntN(7) {
			made.Labels[labelName(random)] = randomText(random, 5)
		}
		for range 1 + random.IntN(5) {
			made.Rules = append(made.Rules, randomRule(random))
		}
		answer(&made)
		if err := encoder.Encode(made); err != nil {
			panic(err)
		}
	}
}

func answer(made *ruleCase) {
	scheme := model.UTF8Validation
	if made.Names == "legacy" {
		scheme = model.LegacyValidation
	}
	made.Answer = "refused"
	text, err := yaml.Marshal(made.Rules)
	if err != nil {
		panic(err)
	}
	var configs []*relabel.Config
	if err := yaml.UnmarshalStrict(text, &configs); err != nil {
		return
	}
	for _, config := range configs {
		if config.Validate(scheme) != nil {
			return
		}
	}
	builder := labels.NewBuilder(labels.FromMap(made.Labels))
	if !relabel.ProcessBuilder(builder, configs...) {
		made.Answer = "dropped"
		return
	}
	made.Answer = "kept"
	made.After = builder.Labels().Map()
}

func labelName(random *rand.Rand) string {
	if random.IntN(20) == 0 {
		return randomText(random, 3) + "x"
	}
	return pick(random, labelNames)
}

// randomRule sets for the most part the fields that the action reads, and now and then any.
func randomRule(random *rand.Rand) map[string]any {
	rule := map[string]any{}
	action := pick(random, []string{"replace", "replace", "replace", "keep", "drop", "keepequal", "dropequal", "hashmod", "labelmap", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"})
	reads := map[string][]string{
		"replace":   {"source_labels", "separator", "regex", "target_label", "replacement"},
		"keep":      {"source_labels", "separator", "regex"},
		"drop":      {"source_labels", "separator", "regex"},
		"keepequal": {"source_labels", "target_label"},
		"dropequal": {"source_labels", "target_label"},
		"hashmod":   {"source_labels", "separator", "target_label", "modulus"},
		"labelmap":  {"regex", "replacement"},
		"labeldrop": {"regex"},
		"labelkeep": {"regex"},
		"lowercase": {"source_labels", "separator", "target_label"},
		"uppercase": {"source_labels", "separator", "target_label"},
	}
	for _, field := range reads[action] {
		optional := field == "separator" || field == "regex" || field == "replacement"
		if !optional || random.IntN(3) > 0 {
			rule[field] = fieldValue(random, action, field)
		}
	}
	if action != "replace" || random.IntN(2) == 0 {
		rule["action"] = action
	}
	if random.IntN(25) == 0 {
		field := pick(random, []string{"source_labels", "separator", "regex", "target_label", "replacement", "modulus", "action", "extra"})
		rule[field] = fieldValue(random, action, field)
	}
	if random.IntN(40) == 0 {
		delete(rule, pick(random, []string{"source_labels", "regex", "target_label", "modulus", "action"}))
	}
	return rule
}

func fieldValue(random *rand.Rand, action, field string) any {
	switch field {
	case "source_labels":
		names := []string{}
		for range random.IntN(4) {
			names = append(names, labelName(random))
		}
		if random.IntN(100) == 0 {
			names = append(names, "")
		}
		return names
	case "separator":
		return pick(random, []string{";", "", "-", "世", "ab", "\n"})
	case "regex":
		if random.IntN(60) == 0 {
			return nil
		}
		if action == "labelmap" || action == "labeldrop" || action == "labelkeep" {
			usual := []string{"(.*)", "__meta_(.+)", "(a).*", "a|b", "[ab](.*)", "(.)(.*)", "a_?b", "(?i)a", ".*_.*", "__meta_(?:.)|(.)"}
			if random.IntN(3) > 0 {
				return pick(random, usual)
			}
		}
		return randomPattern(random)
	case "target_label":
		switch random.IntN(6) {
		case 0:
			return randomTemplate(random)
		case 1:
			return pick(random, []string{"$1", "a$1", "${1}_b", "a${2}", "$$", "", "0", "a b", "${n}", "a-$1", "$1$2", "_$1", "0$1", "a$", "a${1", "${é}", "a$é"})
		default:
			return labelName(random)
		}
	case "replacement":
		if random.IntN(2) == 0 {
			return pick(random, []string{"$1", "", "a", "$2", "${1}_x", "$1$2", "é", "x_$1", "prefix-${1}"})
		}
		return randomTemplate(random)
	case "modulus":
		return pick(random, []uint64{0, 1, 2, 3, 7, 1000, 1 << 40, 1<<64 - 1})
	case "action":
		return pick(random, []string{"KEEP", "Replace", "LabelMap", "HashMod", "", "foo", "ſet", "\u212aeep", "keepEqual", "upperCase"})
	default:
		return "x"
	}
}
